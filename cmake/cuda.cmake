# The CUDA back end: kernels by nvcc as one fat binary, host code by the ordinary compiler, nothing of CUDA linked
# (docs/gpu.md). Sets DD_CUDA_FOUND. Test builds get a back end without nvcc too, with a
# placeholder instead of kernels and in a folder of its own, so that the host paths are always tested.
set(DD_CUDA_FOUND OFF)
set(DD_CUDA_ARCHITECTURES 75 80 86 89 90 100 120 CACHE STRING
    "Compute capabilities of the machine code (PTX of 75 is always added); one is enough for a sanitizer build")
set(DD_CUDA_IMAGE "" CACHE FILEPATH "Fat binary that another build of this tree has made, instead of running nvcc again")
if(DD_CUDA_IMAGE)
  set(DD_CUDA_FATBIN "${DD_CUDA_IMAGE}")
else()
  set(DD_CUDA_FATBIN "${CMAKE_CURRENT_BINARY_DIR}/cuda/kernels.fatbin")
endif()
set(DD_CUDA_LOG "${CMAKE_CURRENT_BINARY_DIR}/cuda/ptxas.log")

# `image` empty: a placeholder, for tests.
function(dd_add_cuda_backend target image version directory)
  add_library(${target} SHARED native/cuda/cuda_backend.cpp native/cuda/cuda_driver.cpp native/cuda/kernel_image.cpp)
  target_include_directories(${target} PRIVATE native)
  target_compile_definitions(${target} PRIVATE DD_CUDA_TOOLKIT_VERSION=${version})
  if(image)
    target_compile_definitions(${target} PRIVATE DD_CUDA_KERNEL_IMAGE="${image}")
    set_source_files_properties(native/cuda/kernel_image.cpp PROPERTIES OBJECT_DEPENDS "${image}")
  endif()
  target_link_libraries(${target} PRIVATE dd_flags ${CMAKE_DL_LIBS})
  dd_keep_old_glibc(${target} discrete_descent_backend_entry)
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME discrete-descent-cuda LIBRARY_OUTPUT_DIRECTORY "${directory}")
endfunction()

if(DD_CUDA STREQUAL "OFF")
  message(STATUS "CUDA back end: switched off (DD_CUDA=OFF)")
elseif(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(STATUS "CUDA back end: left out, it is built on Linux only")
else()
  find_program(DD_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATH_SUFFIXES bin PATHS /usr/local/cuda/bin)
  if(DD_NVCC)
    execute_process(COMMAND "${DD_NVCC}" --version OUTPUT_VARIABLE dd_nvcc_version ERROR_QUIET)
    execute_process(COMMAND "${DD_NVCC}" --list-gpu-code OUTPUT_VARIABLE dd_nvcc_codes ERROR_QUIET)
    # An nvcc that finds no host compiler answers --version all the same, and would fail in the middle of the build.
    set(dd_probe "${CMAKE_CURRENT_BINARY_DIR}/cuda/probe.cu")
    file(WRITE "${dd_probe}" "__global__ void probe() {}\n")
    execute_process(COMMAND "${DD_NVCC}" -E -o "${dd_probe}.i" "${dd_probe}"
                    RESULT_VARIABLE dd_nvcc_status OUTPUT_QUIET ERROR_QUIET)
  endif()
  if(DD_NVCC AND dd_nvcc_status EQUAL 0 AND dd_nvcc_version MATCHES "release ([0-9]+)\\.([0-9]+)")
    set(DD_CUDA_FOUND ON)
    math(EXPR DD_CUDA_TOOLKIT_VERSION "${CMAKE_MATCH_1} * 1000 + ${CMAKE_MATCH_2} * 10")
    message(STATUS "CUDA back end: kernels by ${DD_NVCC}, CUDA ${CMAKE_MATCH_1}.${CMAKE_MATCH_2}")
  elseif(DD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "DD_CUDA=ON, but no working nvcc was found (looked in PATH, CUDA_PATH, CUDA_HOME and /usr/local/cuda)")
  else()
    message(STATUS "CUDA back end: left out, no working nvcc was found (DD_CUDA=ON makes this an error)")
  endif()
endif()

# Rounding on the device is what the source says (--fmad=false); constexpr functions are callable from kernels.
set(DD_NVCC_FLAGS -std=c++20 "-I${CMAKE_CURRENT_SOURCE_DIR}/native" --fmad=false --expt-relaxed-constexpr -Xptxas -v)
if(DD_CUDA_FOUND)
  set(dd_generate)
  foreach(architecture IN LISTS DD_CUDA_ARCHITECTURES)
    if(dd_nvcc_codes MATCHES "sm_${architecture}[^0-9a-z]")
      list(APPEND dd_generate -gencode arch=compute_${architecture},code=sm_${architecture})
    endif()
  endforeach()
  # PTX of the oldest, for every GPU that is newer than this toolkit.
  list(APPEND dd_generate -gencode arch=compute_75,code=compute_75)
  if(DD_CUDA_TOOLKIT_VERSION GREATER_EQUAL 12080)
    list(APPEND dd_generate --compress-mode=size)
  endif()
  set(dd_depfile)
  set(dd_depfile_flags)
  if(CMAKE_GENERATOR STREQUAL "Ninja" OR CMAKE_VERSION VERSION_GREATER_EQUAL 3.20)
    if(POLICY CMP0116)
      cmake_policy(SET CMP0116 NEW)
    endif()
    set(dd_depfile DEPFILE "${CMAKE_CURRENT_BINARY_DIR}/cuda/kernels.d")
    set(dd_depfile_flags -MD -MF "${CMAKE_CURRENT_BINARY_DIR}/cuda/kernels.d" -MT cuda/kernels.fatbin)
  endif()
  set(dd_flags_text)
  foreach(flag IN LISTS DD_NVCC_FLAGS dd_generate dd_depfile_flags)
    string(APPEND dd_flags_text " \"${flag}\"")
  endforeach()
  if(NOT DD_CUDA_IMAGE)
    file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/cuda")
    add_custom_command(
      OUTPUT "${DD_CUDA_FATBIN}" "${DD_CUDA_LOG}"
      COMMAND "${CMAKE_COMMAND}" "-DNVCC=${DD_NVCC}" "-DLOG=${DD_CUDA_LOG}"
              "-DFLAGS=-fatbin -o \"${DD_CUDA_FATBIN}\" \"${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/kernels.cu\" ${dd_flags_text}"
              -P "${CMAKE_CURRENT_SOURCE_DIR}/cmake/run_nvcc.cmake"
      DEPENDS native/cuda/kernels.cu native/block_kernels.hpp ${dd_depfile}
      COMMENT "Compiling the block kernels with nvcc"
      VERBATIM)
  endif()
  dd_add_cuda_backend(discrete-descent-cuda "${DD_CUDA_FATBIN}" ${DD_CUDA_TOOLKIT_VERSION} "${CMAKE_BINARY_DIR}/lib")
endif()

# The fat binary alone: it is the same for every processor that the host code is built for. Without nvcc there is none,
# and one that an earlier configuration left is removed.
if(DD_CUDA_FOUND)
  add_custom_target(dd_cuda_image DEPENDS "${DD_CUDA_FATBIN}")
  add_dependencies(discrete-descent-cuda dd_cuda_image)
else()
  add_custom_target(dd_cuda_image COMMAND "${CMAKE_COMMAND}" -E rm -f "${CMAKE_CURRENT_BINARY_DIR}/cuda/kernels.fatbin")
endif()
