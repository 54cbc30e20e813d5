# DD_UNITY: the compiler reads several files of a room at once, and the standard library once for all of them, which is
# most of what a build takes. Names without linkage must therefore be unique within a room; files that
# register kernels are alike on purpose and stay by themselves.
set(DD_UNITY_FILES 12)

# Groups the sources for a target whose UNITY_BUILD is on and UNITY_BUILD_MODE is GROUP.
function(dd_unite room)
  set(place 0)
  foreach(source IN LISTS ARGN)
    if(NOT source MATCHES "(kernels|catalog)\\.cpp$")
      math(EXPR group "${place} / ${DD_UNITY_FILES}")
      math(EXPR place "${place} + 1")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP "${room}_${group}")
    endif()
  endforeach()
endfunction()
