# What ctest runs. Labels: native (every build), cuda (host paths on the fake driver), nvcc (what ptxas said), asan
# and tsan (builds with that sanitizer only).
# ThreadSanitizer programs need `setarch -R` on kernels with much address randomisation.
set(dd_launcher)
if(DD_SANITIZE MATCHES "thread")
  find_program(DD_SETARCH setarch)
  if(DD_SETARCH)
    set(dd_launcher "${DD_SETARCH}" -R)
  endif()
endif()

function(dd_add_test name labels)
  add_test(NAME ${name} COMMAND ${dd_launcher} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS "${labels}" ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1")
endfunction()

# Under ThreadSanitizer long cases that start no thread, or none that others do not start too, are left out.
set(dd_tests_arguments)
if(DD_SANITIZE MATCHES "thread")
  string(JOIN "," dd_excluded
    "linalg copies and mirrors"
    "linalg gemm: all sizes*"
    "linalg cholesky: index of the failing pivot*"
    "linalg syrk: float32 added up in float64"
    "knapsack: every method against enumeration"
    "knapsack: core proves*"
    "exact_small.json*"
    "fir.json*"
    "small random problems of every kind*"
    "every kernel of the catalog can be timed*"
    "*agrees with its reference on every host target"
    "cuda: every kernel, every test size, delayed*")
  set(dd_tests_arguments "--test-case-exclude=${dd_excluded}")
endif()
# One entry per room, so that they run side by side.
foreach(room core linalg dmmv odil polystep quantize)
  dd_add_test(native_${room} native $<TARGET_FILE:dd_tests> "--source-file=*tests/${room}/*" ${dd_tests_arguments})
endforeach()

# The example of docs/gpu.md, taken from the page: documentation that does not compile is a failed build.
set(dd_page "${CMAKE_CURRENT_SOURCE_DIR}/docs/gpu.md")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${dd_page}")
file(READ "${dd_page}" dd_rest)
foreach(file scale.kernel.hpp scale_kernel.cpp)
  set(begin "```cpp\n// ${file}")
  string(FIND "${dd_rest}" "${begin}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "docs/gpu.md has no example ${file}")
  endif()
  math(EXPR at "${at} + 7")
  string(SUBSTRING "${dd_rest}" ${at} -1 dd_rest)
  string(FIND "${dd_rest}" "```" at)
  string(SUBSTRING "${dd_rest}" 0 ${at} code)
  file(GENERATE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/docs/${file}" CONTENT "${code}")
endforeach()
target_sources(dd_tests PRIVATE "${CMAKE_CURRENT_BINARY_DIR}/docs/scale_kernel.cpp")

# Lists, checks and times the registered kernels, without Node.
add_executable(dd_kernels native/tests/kernels_tool.cpp)
target_link_libraries(dd_kernels PRIVATE dd_native)

# Planted mistakes: the sanitizer must find them, or its silence about the catalog means nothing.
add_executable(dd_planted_mistakes native/tests/core/planted_mistakes.cpp)
target_link_libraries(dd_planted_mistakes PRIVATE dd_native)
if(DD_SANITIZE MATCHES "thread")
  foreach(mistake race blocks)
    dd_add_test(planted_${mistake}_is_found tsan $<TARGET_FILE:dd_planted_mistakes> ${mistake})
    set_tests_properties(planted_${mistake}_is_found PROPERTIES
      PASS_REGULAR_EXPRESSION "WARNING: ThreadSanitizer: data race")
  endforeach()
  dd_add_test(threaded_catalog tsan $<TARGET_FILE:dd_tests> "--test-case=threaded*")
endif()
if(DD_SANITIZE MATCHES "address")
  dd_add_test(planted_overrun_is_found asan $<TARGET_FILE:dd_planted_mistakes> overrun)
  set_tests_properties(planted_overrun_is_found PROPERTIES
    PASS_REGULAR_EXPRESSION "AddressSanitizer: heap-buffer-overflow")
endif()

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  # Calls the compiler that builds it, and nvcc where there is one.
  target_sources(dd_tests PRIVATE native/tests/odil/program_source_test.cpp)
  target_link_libraries(dd_tests PRIVATE ${CMAKE_DL_LIBS})
  target_compile_definitions(dd_tests PRIVATE DD_TEST_COMPILER="${CMAKE_CXX_COMPILER}")
  if(DD_CUDA_FOUND)
    target_compile_definitions(dd_tests PRIVATE DD_TEST_NVCC="${DD_NVCC}")
  endif()

  # The back end under test: the one with kernels where nvcc is, else one with a placeholder.
  if(DD_CUDA_FOUND)
    set(dd_test_cuda discrete-descent-cuda)
    set(dd_test_cuda_version ${DD_CUDA_TOOLKIT_VERSION})
  else()
    set(dd_test_cuda dd_cuda_placeholder)
    set(dd_test_cuda_version 12080)
    dd_add_cuda_backend(dd_cuda_placeholder "" ${dd_test_cuda_version} "${CMAKE_CURRENT_BINARY_DIR}/placeholder")
  endif()

  add_library(fakecuda SHARED native/tests/fakecuda/fakecuda.cpp)
  target_link_libraries(fakecuda PRIVATE dd_native)
  target_compile_definitions(fakecuda PRIVATE DD_CUDA_TOOLKIT_VERSION=${dd_test_cuda_version})

  # Files that the loader must refuse, each named like the back end and in a folder of its own.
  foreach(fault no_entry other_abi short_struct)
    add_library(dd_backend_${fault} SHARED native/tests/backends/${fault}.cpp)
    target_include_directories(dd_backend_${fault} PRIVATE native)
    set_target_properties(dd_backend_${fault} PROPERTIES
      OUTPUT_NAME discrete-descent-cuda LIBRARY_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/backends/${fault}")
  endforeach()

  foreach(test cuda_backend backend_reasons)
    add_executable(dd_${test}_test native/tests/cuda/${test}_test.cpp)
    target_link_libraries(dd_${test}_test PRIVATE dd_test_main)
    target_compile_definitions(dd_${test}_test PRIVATE
      DD_TEST_FAKECUDA="$<TARGET_FILE:fakecuda>"
      DD_TEST_BACKEND_DIRECTORY="$<TARGET_FILE_DIR:${dd_test_cuda}>"
      DD_TEST_FAULTS_DIRECTORY="${CMAKE_CURRENT_BINARY_DIR}/backends")
    add_dependencies(dd_${test}_test fakecuda ${dd_test_cuda}
                     dd_backend_no_entry dd_backend_other_abi dd_backend_short_struct)
    dd_add_test(${test} cuda $<TARGET_FILE:dd_${test}_test> ${dd_tests_arguments})
  endforeach()
  # The longest of all under ThreadSanitizer: begun first, it has company to the end.
  set_tests_properties(cuda_backend PROPERTIES COST 100)

  if(DD_CUDA_FOUND)
    find_program(DD_NODE node)
    if(DD_NODE)
      add_test(NAME ptxas COMMAND "${DD_NODE}" "${CMAKE_CURRENT_SOURCE_DIR}/tools/check-ptxas.mjs"
               --log "${DD_CUDA_LOG}" --kernels $<TARGET_FILE:dd_kernels>)
      set_tests_properties(ptxas PROPERTIES LABELS nvcc)
      add_test(NAME ptxas_check_sees_spills COMMAND "${DD_NODE}" "${CMAKE_CURRENT_SOURCE_DIR}/tools/check-ptxas.mjs"
               --log "${CMAKE_CURRENT_SOURCE_DIR}/native/tests/cuda/spilling_ptxas.log" --kernels $<TARGET_FILE:dd_kernels>)
      set_tests_properties(ptxas_check_sees_spills PROPERTIES LABELS nvcc PASS_REGULAR_EXPRESSION
        "spills 12 bytes of stores, 16 of loads.*300 registers, a block of 32 threads can have 255.*not compiled for sm_90")
    endif()
    # The Block calls that no registered kernel uses yet must compile for the device, too.
    add_test(NAME block_examples_compile
             COMMAND "${DD_NVCC}" ${DD_NVCC_FLAGS} -cubin -arch=sm_75
                     -o "${CMAKE_CURRENT_BINARY_DIR}/cuda/block_examples.cubin"
                     "${CMAKE_CURRENT_SOURCE_DIR}/native/tests/cuda/block_examples.cu")
    set_tests_properties(block_examples_compile PROPERTIES LABELS nvcc)
    add_test(NAME docs_example_compiles
             COMMAND "${DD_NVCC}" ${DD_NVCC_FLAGS} -cubin -arch=sm_75 -x cu
                     -o "${CMAKE_CURRENT_BINARY_DIR}/cuda/docs_example.cubin"
                     "${CMAKE_CURRENT_BINARY_DIR}/docs/scale.kernel.hpp")
    set_tests_properties(docs_example_compiles PROPERTIES LABELS nvcc)
  endif()
endif()

# Machine code of the kernels compiled once per ISA level: sanitizers change it, so only plain builds are judged.
if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND NOT DD_SANITIZE)
  find_program(DD_NODE node)
  if(DD_NODE)
    add_test(NAME isa_objects
             COMMAND "${DD_NODE}" "${CMAKE_CURRENT_SOURCE_DIR}/tools/check-isa-objects.mjs" "${CMAKE_CURRENT_BINARY_DIR}")
    set_tests_properties(isa_objects PROPERTIES LABELS native)
  endif()
endif()
