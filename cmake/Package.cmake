# The Debian package: `./dev package`, or cpack in a build of the preset `package`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME orderflow)
set(CPACK_PACKAGE_CONTACT "orderflow maintainers <orderflow@packages.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Kafka order pipeline with exact running averages")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"orderflow consumes Avro orders from Kafka and keeps the exact running average
of their price, overall and by product. What fails for a moment is tried again
later without holding anything up; what keeps failing is set aside as a dead
letter that says why. No order is lost, and none is counted twice.
.
This package holds the program, its manual, completions for bash, zsh and fish,
and a service of systemd, which is started once it has been told where Kafka is
(/etc/orderflow/orderflow.conf).")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# What the program is linked with follows by itself.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/debian/postinst ${PROJECT_SOURCE_DIR}/packaging/debian/prerm
  ${PROJECT_SOURCE_DIR}/packaging/debian/postrm ${PROJECT_SOURCE_DIR}/packaging/debian/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # /etc is not below the prefix
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
