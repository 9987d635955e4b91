#define _GNU_SOURCE
#include "CSystem.h"

#include <link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

struct epoll_event cz_epoll_event(uint32_t events, uint64_t token) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = events;
    event.data.u64 = token;
    return event;
}

uint64_t cz_epoll_token(const struct epoll_event *event) {
    return event->data.u64;
}

ssize_t cz_receive(int fd, void *buffer, size_t length, int *descriptors,
                                 size_t *count, int *truncated) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CZ_MAX_DESCRIPTORS)];
        struct cmsghdr align;
    } control;
    struct iovec io = {.iov_base = buffer, .iov_len = length};
    struct msghdr message = {.msg_iov = &io,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *count = 0;
    *truncated = 0;
    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0) return n;
    *truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        size_t bytes = c->cmsg_len - CMSG_LEN(0);
        for (size_t i = 0; i < bytes / sizeof(int) && *count < CZ_MAX_DESCRIPTORS; i++)
            memcpy(&descriptors[(*count)++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return n;
}

ssize_t cz_send(int fd, const void *buffer, size_t length, const int *descriptors,
                              size_t count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CZ_MAX_DESCRIPTORS)];
        struct cmsghdr align;
    } control;
    struct iovec io = {.iov_base = (void *)buffer, .iov_len = length};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
    if (count > CZ_MAX_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(c), descriptors, sizeof(int) * count);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int cz_peer(int fd, uid_t *user, pid_t *process) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -1;
    *user = credentials.uid;
    *process = credentials.pid;
    return 0;
}

int cz_file_system(int fd, uint64_t *type) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return -1;
    // The numbers have 32 bits; where the field is signed and as wide, some are negative.
    *type = (uint32_t)status.f_type;
    return 0;
}

ssize_t cz_find(const void *text, size_t length, const void *needle, size_t needle_length) {
    const char *found = memmem(text, length, needle, needle_length);
    return found ? found - (const char *)text : -1;
}

int cz_connect(int fd, const struct sockaddr *address, socklen_t length) {
    return connect(fd, address, length);
}

int cz_bind(int fd, const struct sockaddr *address, socklen_t length) {
    return bind(fd, address, length);
}

int cz_getpeername(int fd, struct sockaddr *address, socklen_t *length) {
    return getpeername(fd, address, length);
}

int cz_getsockname(int fd, struct sockaddr *address, socklen_t *length) {
    return getsockname(fd, address, length);
}

int cz_accept(int fd) {
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

ssize_t cz_write_socket(int fd, const void *buffer, size_t length) {
    return send(fd, buffer, length, MSG_NOSIGNAL);
}

int cz_set_pipe_size(int fd, int size) {
    return fcntl(fd, F_SETPIPE_SZ, size);
}

int cz_open(const char *path, int flags, mode_t mode) {
    return open(path, flags, mode);
}

int cz_open_step(int folder, const char *name) {
    const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    // With O_DIRECTORY the kernel mounts what is mounted on demand.
    int fd = openat(folder, name, flags | O_DIRECTORY);
    return fd < 0 && errno == ENOTDIR ? openat(folder, name, flags) : fd;
}

int cz_open_at(int folder, const char *name, int flags) {
    return openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
}

int cz_has_acl(int fd) {
    // By name: fgetxattr(2) does not take descriptors of cz_open_step.
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

int cz_get_option(int fd, int level, int name, int *value) {
    socklen_t length = sizeof *value;
    return getsockopt(fd, level, name, value, &length);
}

int cz_set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

int cz_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC);
}

void cz_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

int cz_open_unnamed(const char *folder) {
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

int cz_open_process(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

void cz_heap_thresholds(int map, int trim) {
    // Both at once: as soon as one is set the allocator leaves the other as it is.
    mallopt(M_MMAP_THRESHOLD, map);
    mallopt(M_TRIM_THRESHOLD, trim);
}

void cz_heap_trim(void) { malloc_trim(0); }

int cz_is_ignored(int signal) {
    struct sigaction action;
    return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int forget_pages(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size;
    (void)unused;
    // The kernel's own, which it keeps for all processes.
    if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) return 0;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // What can be written, or could while the program was linked, differs from the file.
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        // A segment the kernel refuses stays mapped, which is as good.
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void cz_forget_program_pages(void) {
    dl_iterate_phdr(forget_pages, NULL);
}

int cz_is_delivered_here(const struct sockaddr *address) {
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        char attributes[RTA_SPACE(sizeof(struct in6_addr))];
    } request;
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    const void *destination;
    size_t size;
    if (address->sa_family == AF_INET) {
        destination = &((const struct sockaddr_in *)address)->sin_addr;
        size = sizeof(struct in_addr);
    } else if (address->sa_family == AF_INET6) {
        destination = &((const struct sockaddr_in6 *)address)->sin6_addr;
        size = sizeof(struct in6_addr);
    } else {
        errno = EAFNOSUPPORT;
        return -1;
    }
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.route) + RTA_SPACE(size);
    request.header.nlmsg_type = RTM_GETROUTE;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.route.rtm_family = (unsigned char)address->sa_family;
    request.route.rtm_dst_len = (unsigned char)(size * 8);
    struct rtattr *attribute = (struct rtattr *)request.attributes;
    attribute->rta_type = RTA_DST;
    attribute->rta_len = (unsigned short)RTA_LENGTH(size);
    memcpy(RTA_DATA(attribute), destination, size);

    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -1;
    // The answer is there as soon as the request has been sent.
    ssize_t n = send(fd, &request, request.header.nlmsg_len, 0);
    if (n >= 0) n = recv(fd, answer.bytes, sizeof answer.bytes, MSG_DONTWAIT);
    int error = errno;
    close(fd);
    if (n < 0) {
        errno = error;
        return -1;
    }
    if (!NLMSG_OK(&answer.header, (size_t)n)) {
        errno = EPROTO;
        return -1;
    }
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        int reason = -((const struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
        // No route, or one that leads nowhere.
        if (reason == ENETUNREACH || reason == EHOSTUNREACH || reason == EACCES) return 0;
        errno = reason;
        return -1;
    }
    if (answer.header.nlmsg_type != RTM_NEWROUTE) {
        errno = EPROTO;
        return -1;
    }
    switch (((const struct rtmsg *)NLMSG_DATA(&answer.header))->rtm_type) {
    case RTN_LOCAL:
    case RTN_BROADCAST:
    case RTN_ANYCAST:
    case RTN_MULTICAST:
        return 1;
    default:
        return 0;
    }
}

unsigned cz_device_major(dev_t device) { return major(device); }

unsigned cz_device_minor(dev_t device) { return minor(device); }
