# of_embed(FILE SYMBOL OUT_VARIABLE): a C source with the file's bytes as `const char SYMBOL[]`, NUL-terminated, so that
# the program needs no file at run time. Made anew when the file changes.
function(of_embed file symbol out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1', " bytes "${hex}") # as characters, which may be negative
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
    "extern const char @symbol@[];\nconst char @symbol@[] = {\n    @bytes@0x00\n};\n")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
