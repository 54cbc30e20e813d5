# The Node add-on: headers from node-api-headers and node-addon-api (nothing is downloaded), and the link measures that
# keep the Linux binary loadable on glibc 2.28 (docs/architecture.md, "Old glibc").
if(NOT DD_NODE_EXECUTABLE)
  set(DD_NODE_EXECUTABLE node)
endif()

set(dd_addon ${DD_ADDON_SOURCES})
foreach(pillar dmmv odil quantize)
  set(dd_pillar ${DD_ADDON_SOURCES})
  list(FILTER dd_pillar INCLUDE REGEX "/${pillar}[^/]*$")
  list(REMOVE_ITEM dd_addon ${dd_pillar})
  dd_unite(dd_pillar addon_${pillar} ${dd_pillar})
  list(APPEND dd_addon ${dd_pillar})
endforeach()
add_library(discrete_descent_addon MODULE ${dd_addon})
if(DD_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(discrete_descent_addon PRIVATE -Wno-subobject-linkage)
endif()
set_target_properties(discrete_descent_addon PROPERTIES
  OUTPUT_NAME discrete-descent PREFIX "" SUFFIX ".node"
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib
  LIBRARY_OUTPUT_DIRECTORY_RELEASE ${CMAKE_BINARY_DIR}/lib)

if(CMAKE_JS_INC)
  set(DD_NODE_INCLUDES ${CMAKE_JS_INC})
else()
  # Resolved through package.json because node-addon-api's own include_dir is relative to the current directory, and
  # because dependencies are usually hoisted out of the package's own node_modules.
  execute_process(
    COMMAND ${DD_NODE_EXECUTABLE} -p
      "const p=require('path');[require('node-api-headers').include_dir,p.dirname(require.resolve('node-addon-api/package.json'))].join(';')"
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    OUTPUT_VARIABLE DD_NODE_INCLUDES OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE DD_NODE_STATUS)
  if(NOT DD_NODE_STATUS EQUAL 0)
    message(FATAL_ERROR "node-api-headers and node-addon-api must be installed (npm install)")
  endif()
endif()
target_include_directories(discrete_descent_addon SYSTEM PRIVATE ${DD_NODE_INCLUDES})
file(READ ${CMAKE_CURRENT_SOURCE_DIR}/package.json DD_PACKAGE_JSON)
string(REGEX MATCH "\"version\": \"([^\"]+)\"" DD_VERSION_MATCH "${DD_PACKAGE_JSON}")
target_compile_definitions(discrete_descent_addon PRIVATE
  NAPI_VERSION=8 NAPI_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED
  DD_VERSION="${CMAKE_MATCH_1}" DD_COMPILER="${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
target_link_libraries(discrete_descent_addon PRIVATE dd_native)

if(APPLE)
  target_link_options(discrete_descent_addon PRIVATE -undefined dynamic_lookup -Wl,-dead_strip)
elseif(WIN32)
  target_sources(discrete_descent_addon PRIVATE ${CMAKE_JS_SRC})
  target_link_libraries(discrete_descent_addon PRIVATE ${CMAKE_JS_LIB})
  if(CMAKE_JS_NODELIB_DEF AND CMAKE_JS_NODELIB_TARGET)
    execute_process(COMMAND ${CMAKE_AR} /def:${CMAKE_JS_NODELIB_DEF} /out:${CMAKE_JS_NODELIB_TARGET} ${CMAKE_STATIC_LINKER_FLAGS})
  endif()
else()
  dd_keep_old_glibc(discrete_descent_addon napi_register_module_v1 node_api_module_get_api_version_v1)
endif()
