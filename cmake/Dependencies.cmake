# System packages, all through pkg-config or, where a package ships no .pc file, a plain look-up.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka>=2.0.2)
pkg_check_modules(AVRO REQUIRED IMPORTED_TARGET avro-c>=1.11)
pkg_check_modules(CK REQUIRED IMPORTED_TARGET ck>=0.7)
pkg_check_modules(URCU REQUIRED IMPORTED_TARGET liburcu-memb>=0.13)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.70)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.71)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.11)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto>=3.0)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl>=3.0)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4>=1.9)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.4)
find_library(SNAPPY_LIBRARY snappy REQUIRED) # its C interface comes without a .pc file
find_path(SNAPPY_INCLUDE snappy-c.h REQUIRED)
add_library(of_snappy INTERFACE)
target_include_directories(of_snappy SYSTEM INTERFACE ${SNAPPY_INCLUDE})
target_link_libraries(of_snappy INTERFACE ${SNAPPY_LIBRARY})

if(ORDERFLOW_JEMALLOC AND NOT ORDERFLOW_SANITIZE)
  pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
endif()

if(ORDERFLOW_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1)
endif()
