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

if(ORDERFLOW_JEMALLOC AND NOT ORDERFLOW_SANITIZE)
  pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
endif()

if(ORDERFLOW_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1)
endif()
