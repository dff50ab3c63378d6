# lathe_build_info: commit, compiler and flags as a small library of its own (engine/base/build_info.h).
set(build_info_cpp ${CMAKE_BINARY_DIR}/generated/build_info.cpp)
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type_upper)
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type_upper}}" build_info_flags)
if(LATHE_SANITIZE)
  string(APPEND build_info_flags " -fsanitize=${LATHE_SANITIZE}")
endif()
add_custom_target(lathe_write_build_info
  COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${CMAKE_SOURCE_DIR} -DOUTPUT=${build_info_cpp}
          -DLATHE_VERSION=${PROJECT_VERSION} -DLATHE_BUILD_TYPE=${CMAKE_BUILD_TYPE}
          "-DLATHE_COMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}"
          "-DLATHE_FLAGS=${build_info_flags}" -P ${CMAKE_SOURCE_DIR}/assets/cmake/WriteBuildInfo.cmake
  BYPRODUCTS ${build_info_cpp}
  COMMENT "Noting the commit"
  VERBATIM)
lathe_library(lathe_build_info SOURCES ${build_info_cpp})
add_dependencies(lathe_build_info lathe_write_build_info)
