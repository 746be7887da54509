# /opt/cuda from packages of NVIDIA's own repository, which lay out a toolkit below /usr/local themselves.
set -eu
for deb in /debs/*.deb; do dpkg-deb -x "$deb" /tmp/deb; done
mkdir -p /opt
cp -a /tmp/deb/usr/local/cuda-* /opt/cuda
/opt/cuda/bin/nvcc --version
