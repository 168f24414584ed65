# One interface target carries what every file of ours is compiled with.
add_library(of_flags INTERFACE)
target_compile_definitions(of_flags INTERFACE _GNU_SOURCE ORDERFLOW_VERSION="${PROJECT_VERSION}")
target_include_directories(of_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(of_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wundef
  -fno-common -fno-strict-aliasing -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  # librdkafka's RD_KAFKA_V_ macros are such expressions.
  target_compile_options(of_flags INTERFACE -Wno-gnu-statement-expression)
endif()
if(ORDERFLOW_WERROR)
  target_compile_options(of_flags INTERFACE -Werror)
endif()
if(ORDERFLOW_CRASH_POINTS)
  target_compile_definitions(of_flags INTERFACE ORDERFLOW_CRASH_POINTS)
endif()
if(ORDERFLOW_SANITIZE)
  target_compile_options(of_flags INTERFACE
    -fsanitize=${ORDERFLOW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(of_flags INTERFACE -fsanitize=${ORDERFLOW_SANITIZE})
endif()
target_link_libraries(of_flags INTERFACE Threads::Threads)

# of_library(NAME SOURCES ... LIBS ...): one static library per folder of src/.
function(of_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC of_flags ${ARG_LIBS})
endfunction()
