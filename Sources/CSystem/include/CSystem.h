// What the C library offers only as macros, unions or GNU extensions.
#ifndef CONTAINERZ_CSYSTEM_H
#define CONTAINERZ_CSYSTEM_H

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

/// The most descriptors accepted with one message.
enum { CZ_MAX_DESCRIPTORS = 16 };

struct epoll_event cz_epoll_event(uint32_t events, uint64_t token);

uint64_t cz_epoll_token(const struct epoll_event *event);

/// recvmsg(2) with MSG_CMSG_CLOEXEC: the bytes read as its result, the descriptors that came
/// along in `descriptors`. `*truncated` is set when the kernel dropped control data.
ssize_t cz_receive(int fd, void *buffer, size_t length, int *descriptors,
                                 size_t *count, int *truncated);

/// sendmsg(2) with the descriptors attached to the first byte; never raises SIGPIPE.
ssize_t cz_send(int fd, const void *buffer, size_t length, const int *descriptors,
                              size_t count);

/// SO_PEERCRED, see unix(7).
int cz_peer(int fd, uid_t *user, pid_t *process);

/// The type of the file system that an open file is on, as statfs(2) lists them.
int cz_file_system(int fd, uint64_t *type);

/// Where `needle` begins in `text`, or -1: memmem(3), which takes linear time.
ssize_t cz_find(const void *text, size_t length, const void *needle, size_t needle_length);

// The C library declares these with a transparent union, which Swift does not import.
int cz_connect(int fd, const struct sockaddr *address, socklen_t length);

int cz_bind(int fd, const struct sockaddr *address, socklen_t length);

int cz_getpeername(int fd, struct sockaddr *address, socklen_t *length);

int cz_getsockname(int fd, struct sockaddr *address, socklen_t *length);

int cz_accept(int fd);

/// Whether the kernel delivers what is sent to an address to this machine: as one of its own, or as
/// broadcast, anycast or multicast (rtnetlink(7), RTM_GETROUTE). -1 where it cannot be asked.
int cz_is_delivered_here(const struct sockaddr *address);

/// The two parts of a device number (makedev(3)).
unsigned cz_device_major(dev_t device);
unsigned cz_device_minor(dev_t device);

/// open(2) with O_TMPFILE: a file without a name in `folder`, for reading and writing.
int cz_open_unnamed(const char *folder);

/// send(2) that never raises SIGPIPE.
ssize_t cz_write_socket(int fd, const void *buffer, size_t length);

int cz_set_pipe_size(int fd, int size);

int cz_open(const char *path, int flags, mode_t mode);

/* Opens what a name in a folder stands for, without reading it: a symbolic link itself, not what it
   leads to. A folder that is mounted on demand is mounted. */
int cz_open_step(int folder, const char *name);
/* openat(2) of an existing file; O_NOFOLLOW and O_CLOEXEC are always set. */
int cz_open_at(int folder, const char *name, int flags);
/* Whether an access control list, acl(5), says more than the file's mode. */
int cz_has_acl(int fd);

/// getsockopt(2) of an int.
int cz_get_option(int fd, int level, int name, int *value);

int cz_set_option(int fd, int level, int name, int value);

/// Names the calling thread, in at most 15 bytes.
void cz_name_thread(const char *name);

/// pipe2(2) with O_CLOEXEC.
int cz_pipe(int ends[2]);

/// pidfd_open(2), which the C library does not have everywhere; it closes on exec.
int cz_open_process(pid_t process);

/// Sets from how many bytes on a piece of memory is mapped by itself, and how many may be free
/// at the heap's end, mallopt(3).
void cz_heap_thresholds(int map, int trim);

/// Gives free memory back to the kernel, malloc_trim(3).
void cz_heap_trim(void);

/// Unmaps the pages of the program and its libraries that nothing can write, madvise(2); the kernel
/// maps each again when it is used.
void cz_forget_program_pages(void);

/// Whether a signal is ignored.
int cz_is_ignored(int signal);

#endif
