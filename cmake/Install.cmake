# What is installed beside the program. Manual and completions are made by the program itself, so not when it is built
# for another machine.
if(CMAKE_CROSSCOMPILING)
  return()
endif()

set(manual ${CMAKE_CURRENT_BINARY_DIR}/man)
set(completions ${CMAKE_CURRENT_BINARY_DIR}/completions)
find_program(GZIP gzip REQUIRED)

# -n: the same bytes whenever they are made.
add_custom_command(OUTPUT ${manual}/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${manual}
  COMMAND ${CMAKE_COMMAND} -E env --unset=ORDERFLOW_CONFIG $<TARGET_FILE:orderflow> help --man-pages ${manual}
  COMMAND ${GZIP} -9nr ${manual}
  COMMAND ${CMAKE_COMMAND} -E touch ${manual}/made
  DEPENDS orderflow VERBATIM)
add_custom_command(OUTPUT ${completions}/orderflow ${completions}/_orderflow ${completions}/orderflow.fish
  COMMAND ${CMAKE_COMMAND} -E make_directory ${completions}
  COMMAND orderflow completion bash > ${completions}/orderflow
  COMMAND orderflow completion zsh > ${completions}/_orderflow
  COMMAND orderflow completion fish > ${completions}/orderflow.fish
  DEPENDS orderflow VERBATIM)
add_custom_target(pages ALL
  DEPENDS ${manual}/made ${completions}/orderflow ${completions}/_orderflow ${completions}/orderflow.fish)

install(DIRECTORY ${manual}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1.gz")
install(DIRECTORY ${manual}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 FILES_MATCHING PATTERN "*.5.gz")
install(FILES ${completions}/orderflow DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${completions}/_orderflow DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${completions}/orderflow.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# ---- service and configuration ----

# GNUInstallDirs knows that /usr goes with /etc; other prefixes keep everything below themselves.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(configuration ${CMAKE_INSTALL_FULL_SYSCONFDIR}/orderflow)
else()
  set(configuration ${CMAKE_INSTALL_SYSCONFDIR}/orderflow)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/etc/orderflow.conf DESTINATION ${configuration})
file(READ ${PROJECT_SOURCE_DIR}/etc/systemd/orderflow.service unit)
string(REPLACE "/usr/bin/" "${CMAKE_INSTALL_FULL_BINDIR}/" unit "${unit}")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/orderflow.service CONTENT "${unit}" @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/orderflow.service DESTINATION lib/systemd/system)

install(FILES ${PROJECT_SOURCE_DIR}/packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

# ---- documents: an image is built without them ----

if(NOT EXISTS ${PROJECT_SOURCE_DIR}/docs)
  return()
endif()
# The second is what Debian wants to know of its package.
set(changelogs ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian.gz)
add_custom_command(OUTPUT ${changelogs}
  COMMAND ${GZIP} -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md > ${CMAKE_CURRENT_BINARY_DIR}/changelog.gz
  COMMAND ${GZIP} -9nc ${PROJECT_SOURCE_DIR}/packaging/debian/changelog > ${CMAKE_CURRENT_BINARY_DIR}/changelog.Debian.gz
  DEPENDS ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/packaging/debian/changelog VERBATIM)
add_custom_target(changelog ALL DEPENDS ${changelogs})
install(FILES ${changelogs} ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/etc/kubernetes DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
