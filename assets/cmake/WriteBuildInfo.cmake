# Run at each build (cmake -P): writes build_info.cpp from the present git state. configure_file leaves
# an unchanged file alone, so nothing is compiled or linked again while the commit is the same.
set(LATHE_COMMIT unknown)
find_program(git git)
if(git AND EXISTS ${SOURCE_DIR}/.git)  # not the history of some folder above an unpacked archive
  execute_process(COMMAND ${git} -C ${SOURCE_DIR} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE hash OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(LATHE_COMMIT ${hash})
    execute_process(COMMAND ${git} -C ${SOURCE_DIR} status --porcelain --untracked-files=no
      OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      string(APPEND LATHE_COMMIT -dirty)
    endif()
  endif()
endif()
configure_file(${SOURCE_DIR}/engine/base/build_info.cpp.in ${OUTPUT} @ONLY ESCAPE_QUOTES)
