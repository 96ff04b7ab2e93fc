#!/bin/bash
# Only engine/ground/os calls the kernel and only engine/ground/base/heap.c allocates: what the linker would have to
# find for the other rooms says so, whatever a macro or an inline function hides from the eye. This is what lets a
# simulated disk and a failing allocation stand in for the real ones everywhere.
set -uo pipefail
cd "$(dirname "$0")/../.."

KERNEL='open|openat|creat|close|read|pread|readv|preadv|write|pwrite|writev|pwritev|lseek|fsync|fdatasync|sync_file_range|ftruncate|fallocate|posix_fallocate|posix_fadvise|mmap|munmap|madvise|mlock|unlink|rename|mkdir|opendir|readdir|stat|fstat|fopen|fread|fwrite|socket|connect|accept|send|recv|poll|epoll_wait|select|fork|execve|syscall|ioctl|nanosleep|clock_nanosleep|usleep|sleep|sched_yield|clock_gettime|gettimeofday|time|getrandom|getentropy|rand|random|srand|pthread_[a-z_]+|sem_[a-z]+|futex|getenv|sigaction'
HEAP='malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup|mmap'

bazel build --noshow_progress //engine/... || exit 1
bin=$(bazel info bazel-bin 2>/dev/null)
failures=0

# outside PATTERN NAME ALLOWED-ROOM...: no other room's archive may want a symbol of PATTERN.
outside() {
    local pattern=$1 name=$2 found
    shift 2
    found=$(find "$bin/engine" -name 'lib*.a' ! -name '*.pic.a' | while read -r archive; do
        room=${archive#"$bin/"}
        room=${room%/*}
        case " $* " in *" $room "*) continue ;; esac
        nm -u "$archive" 2>/dev/null | awk '{print $2}' | sed 's/64$//' | grep -xE "$pattern" | sort -u | sed "s|^|$room wants |"
    done)
    if [ -n "$found" ]; then
        printf 'not ok %s\n%s\n' "$name" "$found"
        failures=$((failures + 1))
    else
        echo "ok $name"
    fi
}

# ground/base writes to stderr: the last words of a failed assertion, and log lines before a sink is set.
outside "$KERNEL" "only ground/os calls the kernel" engine/ground/os engine/ground/base
outside "$HEAP" "only ground/base allocates" engine/ground/base
[ "$(find "$bin/engine" -name 'lib*.a' ! -name '*.pic.a' | wc -l)" -ge 19 ] || {
    echo "not ok the rooms' archives were found"
    failures=$((failures + 1))
}
exit "$failures"
