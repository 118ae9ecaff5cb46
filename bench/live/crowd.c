// Many clients of live queries in one thread. They take as little CPU as they can, since they share the machine with the
// gateway: what arrives is not parsed, only searched for the stamp `~microseconds~` that the name in each event carries.
//
//     crowd GATEWAY_PORT WRITES_PORT      reads commands, a line each, and answers each with a line
//
//     open COUNT BEAT STEP...       opens so many connections. STEP is `hex:expected`: the bytes to send, and what arrives
//                                   before the next step is taken. BEAT (hex, or -) is sent every five seconds.
//                                   Answer: `opened COUNT`
//     write RATE SECONDS            creates pessoas through the service, RATE a second, each with the instant at which
//                                   it was due in its name. Answer when all were answered: `written COUNT`
//     count                         `messages COUNT`, since the last report
//     report                        `messages COUNT median p99 max`, in microseconds; the next report begins anew
//
// A message counts when its stamp has arrived. Its age is the time since the write was due.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STEPS = 4, OPENED_AT_ONCE = 50, OF_ONE_ADDRESS = 5000, WRITERS = 64, BIN_US = 100, BINS = 200000 };

typedef struct {
    char *bytes, *expected;
    size_t length;
} Step;

typedef struct {
    Step steps[MAX_STEPS], beat;
    int count;
} Kind;

typedef struct {
    int fd, step;
    Kind *kind;
    long stamp;  // that is arriving; -1 outside of one
} Client;

typedef struct {
    int fd, busy;
} Writer;

static int poller, gateway_port, writes_port;
static Client **clients;
static long count, opening, left_to_open, asked_to_open;
static Kind *kind_to_open;
static Writer writers[WRITERS];
static long writes_left, writes_open, written;
static double rate, next_write;  // microseconds
static unsigned ages[BINS];
static long messages, oldest;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000L + at.tv_nsec / 1000;
}

static void send_all(int fd, const char *bytes, size_t length) {
    if (length && send(fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) fail("send");
}

// `from` is the address of this side: one address has too few ports for all.
static int connected(int port, long from) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000101 + from)};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
    if (fd < 0) fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&here, sizeof here) || connect(fd, (struct sockaddr *)&there, sizeof there))
        fail("connect");
    return fd;
}

static void watch(int fd, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

static void open_more(void) {
    for (; left_to_open && opening < OPENED_AT_ONCE; left_to_open--, opening++) {
        Client *client = calloc(1, sizeof *client);
        *client = (Client){connected(gateway_port, count / OF_ONE_ADDRESS), 0, kind_to_open, -1};
        clients = realloc(clients, (count + 1) * sizeof *clients);
        clients[count++] = client;
        watch(client->fd, client);
        send_all(client->fd, client->kind->steps[0].bytes, client->kind->steps[0].length);
    }
    if (!left_to_open && !opening && asked_to_open) {
        printf("opened %ld\n", asked_to_open);
        asked_to_open = 0;
    }
}

// Takes the next step when what the last one waits for has come. It comes in one piece: these answers are short.
static void step(Client *client, const char *bytes, size_t length) {
    const Step *waiting = &client->kind->steps[client->step];
    if (!memmem(bytes, length, waiting->expected, strlen(waiting->expected))) {
        fprintf(stderr, "unexpected: %.*s\n", (int)length, bytes);
        exit(1);
    }
    do {  // a step that expects nothing is the last one
        if (++client->step < client->kind->count) {
            waiting = &client->kind->steps[client->step];
            send_all(client->fd, waiting->bytes, waiting->length);
        }
    } while (client->step < client->kind->count && !*waiting->expected);
    if (client->step == client->kind->count) {
        opening--;
        open_more();
    }
}

static void arrived(Client *client, const char *bytes, size_t length, long at) {
    const char *end = bytes + length;
    while (bytes < end) {
        if (client->stamp < 0) {
            if (!(bytes = memchr(bytes, '~', end - bytes))) return;
            bytes++;
            client->stamp = 0;
        }
        for (; bytes < end && *bytes >= '0' && *bytes <= '9'; bytes++) client->stamp = client->stamp * 10 + *bytes - '0';
        if (bytes == end) return;  // the rest of the stamp comes later
        long age = at - client->stamp, stamp = client->stamp;
        client->stamp = -1;
        if (*bytes != '~' || !stamp) continue;  // the head of a frame may have this byte too
        ages[age < 0 ? 0 : age / BIN_US >= BINS ? BINS - 1 : age / BIN_US]++;
        messages++;
        if (age > oldest) oldest = age;
        bytes++;
    }
}

static void read_client(Client *client) {
    static char bytes[256 * 1024];
    ssize_t length = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) {
        fprintf(stderr, "a connection was closed\n");
        exit(1);
    }
    if (client->step < client->kind->count) step(client, bytes, length);
    else arrived(client, bytes, length, now());
}

static void read_writer(Writer *writer) {
    char bytes[4096];
    ssize_t length = recv(writer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (!length && !writer->busy) {  // the service closes what is not used
        close(writer->fd);
        writer->fd = 0;
        return;
    }
    if (length < 12 || memcmp(bytes, "HTTP/1.1 201", 12)) {
        fprintf(stderr, "a write failed: %.*s\n", (int)(length < 0 ? 0 : length), bytes);
        exit(1);
    }
    writer->busy = 0;
    writes_open--;
    written++;
}

static void write_due(void) {
    while (writes_left && next_write <= now()) {
        Writer *free = NULL;
        for (int n = 0; n < WRITERS && !free; n++)
            if (!writers[n].busy) free = &writers[n];
        if (!free) return;  // this wait counts
        if (!free->fd) watch(free->fd = connected(writes_port, 0), free);
        char body[80], request[400];
        int length = snprintf(body, sizeof body, "{\"nome_pessoa\":\"~%ld~\"}", (long)next_write);
        int size = snprintf(request, sizeof request,
                            "POST /api/pessoas/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            "Content-Length: %d\r\n\r\n%s",
                            length, body);
        send_all(free->fd, request, size);
        free->busy = 1;
        writes_open++;
        writes_left--;
        next_write += 1e6 / rate;
    }
}

static long percentile(double share) {
    long wanted = messages * share, seen = 0;
    for (long bin = 0; bin < BINS; bin++)
        if ((seen += ages[bin]) > wanted) return (bin + 1) * BIN_US;
    return 0;
}

static Step read_step(char *text) {
    char *expected = strchr(text, ':');
    if (expected) *expected++ = 0;
    Step step = {calloc(1, strlen(text) / 2 + 1), strdup(expected ? expected : ""), strlen(text) / 2};
    for (size_t n = 0; n < step.length; n++) sscanf(text + 2 * n, "%2hhx", (unsigned char *)&step.bytes[n]);
    return step;
}

static void read_command(char *line) {
    char *word = strtok(line, " \n");
    if (!word) return;
    if (!strcmp(word, "open")) {
        kind_to_open = calloc(1, sizeof *kind_to_open);
        asked_to_open = left_to_open = atol(strtok(NULL, " \n"));
        word = strtok(NULL, " \n");
        kind_to_open->beat = read_step(strcmp(word, "-") ? word : "");
        while ((word = strtok(NULL, " \n"))) kind_to_open->steps[kind_to_open->count++] = read_step(word);
        open_more();
    } else if (!strcmp(word, "write")) {
        rate = atof(strtok(NULL, " \n"));
        writes_left = rate * atof(strtok(NULL, " \n"));
        for (int n = 0; n < WRITERS; n++) {  // the service may be about to close those of before
            if (writers[n].fd) close(writers[n].fd);
            writers[n].fd = 0;
        }
        written = 0;
        next_write = now();
    } else if (!strcmp(word, "count")) {
        printf("messages %ld\n", messages);
    } else if (!strcmp(word, "report")) {
        printf("messages %ld %ld %ld %ld\n", messages, percentile(0.5), percentile(0.99), oldest);
        memset(ages, 0, sizeof ages);
        messages = oldest = 0;
    } else {
        fprintf(stderr, "unknown command: %s\n", word);
        exit(1);
    }
}

static void read_commands(void) {
    static char text[64 * 1024];
    static size_t used;
    ssize_t length = read(0, text + used, sizeof text - used - 1);
    if (length <= 0) exit(0);
    used += length;
    text[used] = 0;
    for (char *end; (end = strchr(text, '\n'));) {
        *end++ = 0;
        used -= end - text;
        char *line = strdup(text);
        memmove(text, end, used + 1);
        read_command(line);
        free(line);
    }
}

int main(int argc, char **argv) {
    struct epoll_event events[512];
    struct rlimit files;
    long next_beat = now();
    if (argc != 3) return fprintf(stderr, "usage: crowd GATEWAY_PORT WRITES_PORT\n"), 2;
    gateway_port = atoi(argv[1]);
    writes_port = atoi(argv[2]);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if ((poller = epoll_create1(0)) < 0) fail("epoll_create1");
    watch(0, &poller);
    while (1) {
        int ready = epoll_wait(poller, events, 512, writes_left ? 1 : 1000);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int n = 0; n < ready; n++) {
            void *what = events[n].data.ptr;
            if (what == &poller) read_commands();
            else if (what >= (void *)writers && what < (void *)(writers + WRITERS)) read_writer(what);
            else read_client(what);
        }
        write_due();
        if (rate && !writes_left && !writes_open) {
            printf("written %ld\n", written);
            rate = 0;
        }
        if (now() >= next_beat) {
            next_beat = now() + 5000000;
            for (long n = 0; n < count; n++)
                if (clients[n]->step == clients[n]->kind->count)
                    send_all(clients[n]->fd, clients[n]->kind->beat.bytes, clients[n]->kind->beat.length);
        }
    }
}
