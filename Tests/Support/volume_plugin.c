// A volume plugin for the tests: Docker's volume plugin protocol over HTTP on a unix socket, each
// volume a folder. Built statically, it is the only file of its root file system.
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char socket_path[] = "/run/docker/plugins/cztest.sock";
// Docker makes what is mounted below it visible to the device (propagatedMount).
static const char root[] = "/volumes";

static void answer(int peer, const char *body) {
    char head[256];
    int length = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        strlen(body));
    if (write(peer, head, length) < 0 || write(peer, body, strlen(body)) < 0) _exit(1);
}

// The value of "Name" in a flat JSON object; nothing in it is escaped in the tests.
static void name_in(const char *body, char *name, size_t size) {
    name[0] = 0;
    const char *found = strstr(body, "\"Name\":\"");
    if (!found) return;
    found += strlen("\"Name\":\"");
    size_t length = strcspn(found, "\"");
    if (length < size) {
        memcpy(name, found, length);
        name[length] = 0;
    }
}

static void serve(int peer, const char *method, const char *body) {
    char name[256], path[512], text[8192];
    name_in(body, name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", root, name);
    if (!strcmp(method, "/Plugin.Activate")) {
        answer(peer, "{\"Implements\":[\"VolumeDriver\"]}");
    } else if (!strcmp(method, "/VolumeDriver.Capabilities")) {
        answer(peer, "{\"Capabilities\":{\"Scope\":\"local\"}}");
    } else if (!strcmp(method, "/VolumeDriver.Create")) {
        mkdir(path, 0755);
        answer(peer, "{}");
    } else if (!strcmp(method, "/VolumeDriver.Remove")) {
        char command[600];
        DIR *folder = opendir(path);
        for (struct dirent *entry; folder && (entry = readdir(folder));) {
            snprintf(command, sizeof command, "%.300s/%.200s", path, entry->d_name);
            unlink(command);
        }
        if (folder) closedir(folder);
        rmdir(path);
        answer(peer, "{}");
    } else if (!strcmp(method, "/VolumeDriver.Mount") || !strcmp(method, "/VolumeDriver.Path")) {
        snprintf(text, sizeof text, "{\"Mountpoint\":\"%s\"}", path);
        answer(peer, text);
    } else if (!strcmp(method, "/VolumeDriver.Unmount")) {
        answer(peer, "{}");
    } else if (!strcmp(method, "/VolumeDriver.Get")) {
        if (access(path, F_OK))
            snprintf(text, sizeof text, "{\"Err\":\"no such volume\"}");
        else
            snprintf(text, sizeof text,
                "{\"Volume\":{\"Name\":\"%s\",\"Mountpoint\":\"%s\"}}", name, path);
        answer(peer, text);
    } else if (!strcmp(method, "/VolumeDriver.List")) {
        size_t length = snprintf(text, sizeof text, "{\"Volumes\":[");
        DIR *folder = opendir(root);
        int count = 0;
        for (struct dirent *entry; folder && (entry = readdir(folder));)
            if (entry->d_name[0] != '.' && length < sizeof text - 600)
                length += snprintf(text + length, sizeof text - length,
                    "%s{\"Name\":\"%s\",\"Mountpoint\":\"%s/%s\"}", count++ ? "," : "",
                    entry->d_name, root, entry->d_name);
        if (folder) closedir(folder);
        snprintf(text + length, sizeof text - length, "]}");
        answer(peer, text);
    } else {
        answer(peer, "{\"Err\":\"unknown method\"}");
    }
}

static void converse(int peer) {
    static char buffer[65536];
    size_t used = 0;
    for (;;) {
        ssize_t count = read(peer, buffer + used, sizeof buffer - 1 - used);
        if (count <= 0) return;
        used += count;
        buffer[used] = 0;
        char *end = strstr(buffer, "\r\n\r\n"), *field = strcasestr(buffer, "content-length:");
        if (!end) continue;
        size_t length = field && field < end ? strtoul(field + 15, NULL, 10) : 0;
        if (used < (size_t)(end + 4 - buffer) + length) continue;
        char method[256] = "";
        sscanf(buffer, "%*s %255s", method);
        serve(peer, method, end + 4);
        used = 0;
    }
}

static void end(int signal_number) {
    (void)signal_number;
    _exit(0);
}

int main(void) {
    // The first process of a container has no default for it.
    signal(SIGTERM, end);
    signal(SIGCHLD, SIG_IGN);
    mkdir("/run/docker", 0755);
    mkdir("/run/docker/plugins", 0755);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, socket_path);
    unlink(socket_path);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
        perror(socket_path);
        return 1;
    }
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        if (peer < 0) continue;
        if (fork() == 0) {
            converse(peer);
            _exit(0);
        }
        close(peer);
    }
}
