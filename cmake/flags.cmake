# Flags of every native target, in one interface library.
add_library(dd_flags INTERFACE)
if(MSVC)
  target_compile_options(dd_flags INTERFACE /W4 /fp:precise /EHsc /bigobj)
else()
  # No contraction: rounding is what the source says, at every level and on every back end. The two -fno flags change
  # no value; without them selects and square roots do not vectorise.
  target_compile_options(dd_flags INTERFACE
    -ffp-contract=off -fno-math-errno -fno-trapping-math -ffunction-sections -fdata-sections
    -Wall -Wextra -Wpedantic -Wshadow -Wno-unknown-pragmas)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees overlapping copies in `"text" + std::string` (GCC bug 105651).
    target_compile_options(dd_flags INTERFACE -Wno-restrict)
  endif()
  if(DD_LINT)
    target_compile_options(dd_flags INTERFACE -Werror)
  endif()
  if(DD_SANITIZE)
    target_compile_options(dd_flags INTERFACE -fsanitize=${DD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g1)
    if(DD_SANITIZE MATCHES "undefined")
      # What AddressSanitizer finds anyway, at half of the compile time; alignment is looked at where pointers are cast,
      # in the kernels (isa.cmake).
      target_compile_options(dd_flags INTERFACE -fno-sanitize=null,object-size,pointer-overflow,vptr
        $<$<NOT:$<BOOL:$<TARGET_PROPERTY:DD_IS_KERNELS>>>:-fno-sanitize=alignment>)
    endif()
    target_link_options(dd_flags INTERFACE -fsanitize=${DD_SANITIZE})
  endif()
endif()
# Sanitizers are there to look, not to be fast: instrumented code takes five times as long to compile at -O3.
set(DD_OPTIMISATION -O3)
if(DD_SANITIZE)
  set(DD_OPTIMISATION -O1)
  string(REGEX REPLACE "-O[0-9]" "-O1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
  string(REGEX REPLACE "-g( |$)" "-g1\\1" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
else()
  string(REPLACE "-O2" "-O3" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
endif()
