# Runs nvcc and keeps what ptxas says (registers, spills) in LOG, a build artefact that tools/check-ptxas.mjs reads.
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
execute_process(COMMAND "${NVCC}" ${flags} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err)
file(WRITE "${LOG}" "${out}${err}")
if(NOT result EQUAL 0)
  message(FATAL_ERROR "nvcc failed (${result}):\n${out}${err}")
endif()
