# The window's libraries, built from the pinned sources that scripts/fetch-third-party unpacks.
# Always optimised, never sanitized and without our warning flags: they are not our code. Tests get a
# second flavour of ImGui with the test engine's hooks and asserts; the shipped program has neither.
set(LATHE_GUI_VERSION 1.93.0)
if(DEFINED ENV{LATHE_THIRD_PARTY})
  set(lathe_third_party $ENV{LATHE_THIRD_PARTY})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(lathe_third_party $ENV{XDG_CACHE_HOME}/lathe-build/third_party)
else()
  set(lathe_third_party $ENV{HOME}/.cache/lathe-build/third_party)
endif()
set(lathe_gui_sources ${lathe_third_party}/imgui-bundle-${LATHE_GUI_VERSION})
if(NOT EXISTS ${lathe_gui_sources}/imgui/imgui.h)
  message(FATAL_ERROR
    "LATHE_GUI=ON, but the window's sources are not in ${lathe_gui_sources}.\n"
    "Run scripts/fetch-third-party (it downloads and checks them), or configure with -DLATHE_GUI=OFF "
    "for the command line alone.")
endif()

enable_language(C)

# lathe_third_party_library(name SOURCES ... INCLUDES ... DEPENDS ...)
function(lathe_third_party_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;INCLUDES;DEPENDS" ${ARGN})
  add_library(${name} STATIC EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE -O2 -w)
  target_include_directories(${name} SYSTEM PUBLIC ${ARG_INCLUDES})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
endfunction()

# GLFW: X11 is loaded at run time; its null platform serves tests without a display.
set(GLFW_BUILD_DOCS OFF CACHE INTERNAL "")
set(GLFW_BUILD_TESTS OFF CACHE INTERNAL "")
set(GLFW_BUILD_EXAMPLES OFF CACHE INTERNAL "")
set(GLFW_INSTALL OFF CACHE INTERNAL "")
set(GLFW_BUILD_X11 ON CACHE INTERNAL "")
set(GLFW_BUILD_WAYLAND OFF CACHE INTERNAL "")
set(GLFW_LIBRARY_TYPE STATIC CACHE INTERNAL "")
add_subdirectory(${lathe_gui_sources}/glfw ${CMAKE_BINARY_DIR}/third_party/glfw EXCLUDE_FROM_ALL)
target_compile_options(glfw PRIVATE -O2 -w)
add_library(lathe_glfw INTERFACE)
target_include_directories(lathe_glfw SYSTEM INTERFACE ${lathe_gui_sources}/glfw/include)
target_compile_definitions(lathe_glfw INTERFACE GLFW_INCLUDE_NONE)  # ImGui brings its own GL loader
target_link_libraries(lathe_glfw INTERFACE glfw)

set(imgui ${lathe_gui_sources}/imgui)
set(imgui_sources
  ${imgui}/imgui.cpp ${imgui}/imgui_demo.cpp ${imgui}/imgui_draw.cpp ${imgui}/imgui_stacklayout.cpp
  ${imgui}/imgui_tables.cpp ${imgui}/imgui_widgets.cpp ${imgui}/misc/cpp/imgui_stdlib.cpp
  ${imgui}/backends/imgui_impl_glfw.cpp ${imgui}/backends/imgui_impl_null.cpp
  ${imgui}/backends/imgui_impl_opengl3.cpp)
set(implot ${lathe_gui_sources}/implot)

# lathe_gui_flavour(suffix): lathe_imgui<suffix> and lathe_implot<suffix>.
function(lathe_gui_flavour suffix)
  lathe_third_party_library(lathe_imgui${suffix}
    SOURCES ${imgui_sources}
    INCLUDES ${imgui} ${imgui}/backends ${imgui}/misc/cpp
    DEPENDS lathe_glfw ${CMAKE_DL_LIBS})
  lathe_third_party_library(lathe_implot${suffix}
    SOURCES ${implot}/implot.cpp ${implot}/implot_items.cpp
    INCLUDES ${implot}
    DEPENDS lathe_imgui${suffix})
  # Two number types instead of ten: a fifth of the compile time and of the code.
  target_compile_definitions(lathe_implot${suffix} PRIVATE "IMPLOT_CUSTOM_NUMERIC_TYPES=(float)(double)")
endfunction()
lathe_gui_flavour("")
lathe_gui_flavour("_test")

# The test engine and the hooked ImGui need each other; static libraries may.
set(test_engine ${lathe_gui_sources}/imgui_test_engine)
target_compile_definitions(lathe_imgui_test PUBLIC
  IMGUI_ENABLE_TEST_ENGINE IMGUI_TEST_ENGINE_ENABLE_COROUTINE_STDTHREAD_IMPL=1
  IMGUI_TEST_ENGINE_ENABLE_STD_FUNCTION=1 IMGUI_TEST_ENGINE_ENABLE_CAPTURE=1)
lathe_third_party_library(lathe_imgui_test_engine
  SOURCES
    ${test_engine}/imgui_capture_tool.cpp ${test_engine}/imgui_te_context.cpp
    ${test_engine}/imgui_te_coroutine.cpp ${test_engine}/imgui_te_engine.cpp
    ${test_engine}/imgui_te_exporters.cpp ${test_engine}/imgui_te_perftool.cpp
    ${test_engine}/imgui_te_ui.cpp ${test_engine}/imgui_te_utils.cpp
  INCLUDES ${test_engine}
  DEPENDS lathe_imgui_test Threads::Threads)
target_link_libraries(lathe_imgui_test PUBLIC lathe_imgui_test_engine)
foreach(target lathe_imgui_test lathe_implot_test lathe_imgui_test_engine)
  target_compile_options(${target} PRIVATE -UNDEBUG)  # ImGui's asserts find misuse of its API
endforeach()
