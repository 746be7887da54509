# /opt/cuda from Debian's nvidia-cuda-toolkit (the compiler) and NVIDIA's wheels (the headers and libraries).
set -eu
top=/opt/cuda
dpkg-deb -x /debs/nvidia-cuda-toolkit_*.deb /tmp/deb
python3 /layout/unzip.py /tmp/wheels nvidia/ /wheels/nvidia_*.whl
mkdir -p $top/bin $top/nvvm/bin $top/include $top/lib64

from=/tmp/deb/usr/lib/nvidia-cuda-toolkit
for program in nvcc ptxas nvlink cudafe++ fatbinary bin2c cuobjdump; do
	for place in $from/bin/$program /tmp/deb/usr/bin/$program; do
		if [ -f "$place" ] && [ ! -e $top/bin/$program ]; then cp "$place" $top/bin/; fi
	done
done
cp -r $from/bin/crt $top/bin/
cp $from/bin/cicc $top/nvvm/bin/
cp -r $from/libdevice $top/nvvm/libdevice

for wheel in cuda_runtime cuda_nvcc cuda_cccl; do
	[ ! -d /tmp/wheels/nvidia/$wheel/include ] || cp -r /tmp/wheels/nvidia/$wheel/include/. $top/include/
done
cp /tmp/wheels/nvidia/cuda_runtime/lib/libcudart.so.12 $top/lib64/
ln -s libcudart.so.12 $top/lib64/libcudart.so
[ ! -f /tmp/wheels/nvidia/cuda_runtime/lib/libcudart_static.a ] ||
	cp /tmp/wheels/nvidia/cuda_runtime/lib/libcudart_static.a $top/lib64/

# Debian's own profile names Debian's places.
cat >$top/bin/nvcc.profile <<'END'
TOP = $(_HERE_)/..
CICC_PATH = $(TOP)/nvvm/bin
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
PATH += $(CICC_PATH):$(_HERE_):
INCLUDES += "-I$(TOP)/include" $(_SPACE_)
LIBRARIES =+ $(_SPACE_) "-L$(TOP)/lib64"
END
$top/bin/nvcc --version
