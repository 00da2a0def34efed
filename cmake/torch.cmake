# One imported SYSTEM target, `torch`, from torch's own folder (a wheel's or an unpacked libtorch).
# find_package(Torch) is not used: for a CUDA wheel it is a fatal error where no CUDA toolkit is installed.
# HEADSWEEP_TORCH names the folder; else the torch of HEADSWEEP_PYTHON, of .venv, or of the active Python is taken.

set(HEADSWEEP_TORCH "" CACHE PATH "Folder of torch (with include/ and lib/); empty: ask Python")
set(HEADSWEEP_PYTHON "" CACHE FILEPATH "Python whose torch is used; empty: .venv, then python3")

if(NOT HEADSWEEP_TORCH)
  foreach(python IN ITEMS "${HEADSWEEP_PYTHON}" "${PROJECT_SOURCE_DIR}/.venv/bin/python" python3)
    if(python)
      execute_process(
        COMMAND ${python} -c "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
        OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
      if(NOT failed AND EXISTS "${found}/include/ATen/ATen.h")
        set(HEADSWEEP_TORCH "${found}" CACHE PATH "Folder of torch" FORCE)
        break()
      endif()
    endif()
  endforeach()
endif()
if(NOT EXISTS "${HEADSWEEP_TORCH}/include/ATen/ATen.h")
  message(FATAL_ERROR "No torch found (HEADSWEEP_TORCH='${HEADSWEEP_TORCH}'). Run `make setup`, or give "
                      "-DHEADSWEEP_TORCH=<folder with include/ and lib/>.")
endif()

# What this torch is: version, CUDA or not, C++ ABI.
file(GLOB version_headers "${HEADSWEEP_TORCH}/include/torch/headeronly/version.h"
                          "${HEADSWEEP_TORCH}/include/torch/csrc/api/include/torch/version.h")
foreach(header IN LISTS version_headers)
  foreach(word IN ITEMS MAJOR MINOR PATCH)
    file(STRINGS "${header}" line REGEX "define TORCH_VERSION_${word} [0-9]+")
    if(line)
      string(REGEX REPLACE ".* ([0-9]+).*" "\\1" torch_${word} "${line}")
    endif()
  endforeach()
endforeach()
set(torch_version "${torch_MAJOR}.${torch_MINOR}.${torch_PATCH}")
if(torch_version VERSION_LESS 2.6)
  message(FATAL_ERROR "torch ${torch_version} in ${HEADSWEEP_TORCH} is too old: 2.6 or newer is needed.")
endif()
file(STRINGS "${HEADSWEEP_TORCH}/lib/libc10.so" new_abi REGEX "__cxx11" LIMIT_COUNT 1)
if(NOT new_abi)
  message(FATAL_ERROR "torch in ${HEADSWEEP_TORCH} is built with the pre-C++11 ABI; take a build with the C++11 ABI.")
endif()

add_library(torch INTERFACE IMPORTED GLOBAL)
target_include_directories(torch SYSTEM INTERFACE "${HEADSWEEP_TORCH}/include"
                                                  "${HEADSWEEP_TORCH}/include/torch/csrc/api/include")
target_link_directories(torch INTERFACE "${HEADSWEEP_TORCH}/lib")
target_link_libraries(torch INTERFACE -ltorch_cpu -lc10)
target_link_options(torch INTERFACE "-Wl,-rpath,${HEADSWEEP_TORCH}/lib")

set(torch_has_cuda OFF)
if(EXISTS "${HEADSWEEP_TORCH}/lib/libtorch_cuda.so")
  set(torch_has_cuda ON)
  # NCCL and the CUDA runtime that this torch itself loads: the wheel's own, else the system's; never a second NCCL.
  get_filename_component(site "${HEADSWEEP_TORCH}/.." ABSOLUTE)
  file(GLOB cuda_include "${site}/nvidia/cu*/include" "${site}/nvidia/cuda_runtime/include")
  file(GLOB cuda_lib "${site}/nvidia/cu*/lib" "${site}/nvidia/cuda_runtime/lib")
  find_path(NCCL_INCLUDE nccl.h HINTS "${site}/nvidia/nccl/include")
  find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 NAMES_PER_DIR HINTS "${site}/nvidia/nccl/lib")
  # The header that the runtime's includes: torch's wheel brings the one without the other.
  find_path(CUDART_INCLUDE crt/host_defines.h HINTS ${cuda_include} /usr/local/cuda/include)
  find_library(CUDART_LIBRARY NAMES cudart libcudart.so.13 libcudart.so.12 NAMES_PER_DIR HINTS ${cuda_lib} /usr/local/cuda/lib64)
  target_link_options(torch INTERFACE -Wl,--no-as-needed -ltorch_cuda -lc10_cuda -Wl,--as-needed)
endif()

add_library(nccl INTERFACE IMPORTED GLOBAL)
set(headsweep_has_nccl OFF)
if(torch_has_cuda AND NCCL_INCLUDE AND NCCL_LIBRARY AND CUDART_INCLUDE AND CUDART_LIBRARY)
  set(headsweep_has_nccl ON)
  target_include_directories(nccl SYSTEM INTERFACE "${NCCL_INCLUDE}" "${CUDART_INCLUDE}")
  target_link_libraries(nccl INTERFACE "${NCCL_LIBRARY}" "${CUDART_LIBRARY}")
  get_filename_component(nccl_dir "${NCCL_LIBRARY}" DIRECTORY)
  get_filename_component(cudart_dir "${CUDART_LIBRARY}" DIRECTORY)
  target_link_options(nccl INTERFACE "-Wl,-rpath,${nccl_dir}" "-Wl,-rpath,${cudart_dir}")
endif()
message(STATUS "torch ${torch_version} in ${HEADSWEEP_TORCH}, CUDA ${torch_has_cuda}, NCCL ${headsweep_has_nccl}")
