# The CUDA kernels of headsweep_kernels, or their twin that refuses. HEADSWEEP_CUDA: auto builds them where torch has CUDA
# and nvcc is there; ON makes it an error if they cannot be built; OFF leaves them out.

set(HEADSWEEP_CUDA auto CACHE STRING "Build the CUDA kernels: auto, ON or OFF")
set_property(CACHE HEADSWEEP_CUDA PROPERTY STRINGS auto ON OFF)
if(NOT HEADSWEEP_CUDA MATCHES "^(auto|ON|OFF)$")
  message(FATAL_ERROR "HEADSWEEP_CUDA=${HEADSWEEP_CUDA}: auto, ON or OFF is allowed.")
endif()

# nvcc: CUDACXX's, the PATH's, the toolkit's, or that of the pip package beside torch.
file(GLOB nvcc_folders "${HEADSWEEP_TORCH}/../nvidia/cu*/bin" "${HEADSWEEP_TORCH}/../nvidia/cuda_nvcc/bin")
find_program(HEADSWEEP_NVCC NAMES "$ENV{CUDACXX}" nvcc PATHS /usr/local/cuda/bin ${nvcc_folders})

set(cuda_problem "")
if(HEADSWEEP_CUDA STREQUAL "OFF")
  set(cuda_problem "HEADSWEEP_CUDA is OFF")
elseif(NOT torch_has_cuda)
  set(cuda_problem "torch in ${HEADSWEEP_TORCH} has no CUDA")
elseif(NOT (CUDART_LIBRARY AND CUDART_INCLUDE))
  set(cuda_problem "torch's CUDA runtime was not found")
elseif(NOT HEADSWEEP_NVCC)
  set(cuda_problem "nvcc was not found")
else()
  # The runtime that torch loads serves the kernels, too: nvcc must be of its major version.
  file(REAL_PATH "${CUDART_LIBRARY}" cudart_file)
  string(REGEX MATCH "so\\.([0-9]+)" matched "${cudart_file}")
  set(cudart_major "${CMAKE_MATCH_1}")
  execute_process(COMMAND "${HEADSWEEP_NVCC}" --version OUTPUT_VARIABLE nvcc_text ERROR_QUIET)
  string(REGEX MATCH "release ([0-9]+)\\." matched "${nvcc_text}")
  if(NOT CMAKE_MATCH_1 STREQUAL cudart_major)
    set(cuda_problem "${HEADSWEEP_NVCC} is of CUDA '${CMAKE_MATCH_1}', torch's runtime of CUDA ${cudart_major}")
  endif()
endif()

if(cuda_problem AND HEADSWEEP_CUDA STREQUAL "ON")
  message(FATAL_ERROR "HEADSWEEP_CUDA=ON: ${cuda_problem}.")
endif()
if(cuda_problem)
  set(headsweep_has_cuda OFF)
  target_sources(headsweep_kernels PRIVATE src/kernels/cuda/absent.cpp)
  message(STATUS "No CUDA kernels: ${cuda_problem}")
else()
  set(headsweep_has_cuda ON)
  set(launch_source "${PROJECT_SOURCE_DIR}/src/kernels/cuda/launch.cu")
  set(launch_object "${PROJECT_BINARY_DIR}/kernels_launch.o")
  # A100 and H100/H200; newer GPUs translate the PTX.
  add_custom_command(
    OUTPUT "${launch_object}"
    COMMAND "${HEADSWEEP_NVCC}" -std=c++20 -O3 -ccbin "${CMAKE_CXX_COMPILER}" -Xcompiler=-fPIC,-Wall,-Wextra
            $<$<BOOL:${HEADSWEEP_WERROR}>:-Werror=all-warnings> -gencode=arch=compute_80,code=sm_80
            -gencode=arch=compute_90,code=sm_90 -gencode=arch=compute_90,code=compute_90
            "-I${PROJECT_SOURCE_DIR}/include" "-I${PROJECT_SOURCE_DIR}/src" -MD -MF "${launch_object}.d"
            -c "${launch_source}" -o "${launch_object}"
    DEPENDS "${launch_source}" DEPFILE "${launch_object}.d" COMMENT "Building CUDA object ${launch_object}"
    VERBATIM COMMAND_EXPAND_LISTS)
  set_source_files_properties("${launch_object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  target_sources(headsweep_kernels PRIVATE "${launch_object}")

  add_library(cudart INTERFACE IMPORTED GLOBAL)
  target_include_directories(cudart SYSTEM INTERFACE "${CUDART_INCLUDE}")
  get_filename_component(cudart_folder "${CUDART_LIBRARY}" DIRECTORY)
  target_link_libraries(cudart INTERFACE "${CUDART_LIBRARY}")
  target_link_options(cudart INTERFACE "-Wl,-rpath,${cudart_folder}")
  target_link_libraries(headsweep_kernels PRIVATE cudart)
  message(STATUS "CUDA kernels by ${HEADSWEEP_NVCC}")
endif()
