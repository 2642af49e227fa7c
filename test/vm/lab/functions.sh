# What several cases ask.
# The device number of a block device, as major:minor.
backing() { echo "backing $(cat "/sys/class/block/${1##*/}/dev")"; }
