# Libraries found on the system (docs/dependencies.md says what each is for). scripts/setup installs them.
find_package(Threads REQUIRED)
if(NOT LATHE_FUZZ)  # clang's is one more package, and no reader computes
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(GTest REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(TURBOJPEG REQUIRED IMPORTED_TARGET libturbojpeg)

# Debian's dnnl package file asks for an OpenCL development set-up that the CPU parts do not need.
find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(dnnl::cpu INTERFACE IMPORTED)
target_include_directories(dnnl::cpu SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(dnnl::cpu INTERFACE ${DNNL_LIBRARY})

# Factorisations. OpenBLAS by name, so that the reference LAPACK is never picked up unseen.
find_library(OPENBLAS_LIBRARY openblas REQUIRED)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)
add_library(lapack::openblas INTERFACE IMPORTED)
target_link_libraries(lapack::openblas INTERFACE ${LAPACKE_LIBRARY} ${OPENBLAS_LIBRARY})
