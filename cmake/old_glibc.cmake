# dd_keep_old_glibc(target exported...): only the named symbols are exported, and the result is a shared object built on a current Debian that still loads where glibc 2.28 is.
#  - libstdc++ is linked statically; libgcc_s is not, because its static unwinder needs glibc 2.35.
#  - functions whose default version is younger are called at their oldest version through --wrap, which also catches
#    the references inside libstdc++.a (native/core/glibc_compat.cpp).
function(dd_keep_old_glibc target)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    return()
  endif()
  # A version script, because templates of the standard library have default visibility whatever we ask for.
  list(JOIN ARGN "; " exported)
  set(script ${CMAKE_BINARY_DIR}/${target}.map)
  file(WRITE ${script} "{ global: ${exported}; local: *; };\n")
  target_link_options(${target} PRIVATE -Wl,--version-script=${script}
    -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
  if(DD_SANITIZE)
    return()
  endif()
  target_link_options(${target} PRIVATE -static-libstdc++)
  include(CheckSymbolExists)
  check_symbol_exists(__GLIBC__ features.h DD_HAS_GLIBC)
  if(NOT DD_HAS_GLIBC)
    return()
  endif()
  target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/native/core/glibc_compat.cpp)
  foreach(name pthread_create pthread_join pthread_detach pthread_once pthread_key_create __pthread_key_create
               dlopen dlsym dlerror dlclose exp log pow exp2 log2 hypot)
    target_link_options(${target} PRIVATE -Wl,--wrap=${name})
  endforeach()
endfunction()
