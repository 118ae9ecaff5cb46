// One small HTTP/1.1 server in the place of the four services behind the gateways. Its rows are already serialised and
// only copied.
//
//     stub ROWS PORT...      listens on every PORT of loopback and answers the same on each
//
// ROWS has one line a row, by collection and rising id: `collection TAB id TAB json TAB cursor`. The stub answers the
// reads that the gateways make, and 501 to everything else, so that nothing is answered wrongly:
//
//     POST /api/pessoas/query/            {"ids": [1, 2]}, or a page {"ordering", "first", "after", "count"}
//     POST /api/solicitacoes/query/       {"per": {"field": "pessoa_id", "ids": [1, 2]}, "ordering", "first"}
//     GET  /api/pessoas/?id=1,2           and ?page_size=&ordering=&cursor=&count=, with Link and X-Total-Count
//     GET  /api/pessoas/1/                one row
//     GET  /calls                         how many calls of each kind were answered so far
//
// Pages go backwards (`-id`, `-data_solicitacao`: in this data dates rise with ids). Rows come in the order of the ids
// asked for. One thread and epoll; a page of 100 rows costs it about 10 microseconds.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct {
    char *at;
    size_t used, size;
} Buffer;

typedef struct {
    const char *json, *cursor;
    size_t length;
    long pessoa, before;  // of a solicitacao: its pessoa, and the last one of the same pessoa before it; 0 if there is none
} Row;

typedef struct {
    const char *name;
    Row *rows;  // by id; a gap has no json
    long highest, count;
    unsigned long queries, lists, items;  // calls answered
} Collection;

typedef struct {
    int fd;
    Buffer in, out;
    size_t sent;
} Connection;

static Collection collections[] = {{"categorias"}, {"produtos"}, {"pessoas"}, {"servicos"}, {"solicitacoes"}};
static Collection *const PESSOAS = &collections[2], *const SOLICITACOES = &collections[4];
static long *newest;  // of each pessoa, by id: the last solicitacao
static const int COLLECTIONS = sizeof collections / sizeof *collections;
static Buffer body;  // of the answer at hand
static int poller;

static void reserve(Buffer *buffer, size_t more) {
    if (buffer->used + more <= buffer->size) return;
    buffer->size = (buffer->used + more) * 2;
    buffer->at = realloc(buffer->at, buffer->size);
    if (!buffer->at) abort();
}

static void put(Buffer *buffer, const char *bytes, size_t length) {
    reserve(buffer, length);
    memcpy(buffer->at + buffer->used, bytes, length);
    buffer->used += length;
}

static void put_text(Buffer *buffer, const char *text) { put(buffer, text, strlen(text)); }

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_rows(const char *path) {
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    if (!file) fail(path);
    while (getline(&line, &size, file) > 0) {
        char *rest = line, *name = strsep(&rest, "\t"), *id = strsep(&rest, "\t"), *json = strsep(&rest, "\t");
        char *cursor = strsep(&rest, "\n");
        for (int n = 0; n < COLLECTIONS; n++) {
            Collection *into = &collections[n];
            if (strcmp(into->name, name)) continue;
            long number = atol(id);
            long known = into->rows ? into->highest + 1 : 0;
            into->rows = realloc(into->rows, (number + 1) * sizeof(Row));
            memset(into->rows + known, 0, (number + 1 - known) * sizeof(Row));
            into->rows[number] = (Row){strdup(json), strdup(cursor), strlen(json)};
            into->highest = number;
            into->count++;
        }
    }
    free(line);
    fclose(file);
}

// Where the value of JSON member `name` begins; NULL when there is none.
static const char *member(const char *json, const char *name) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(json, quoted);
    return at ? at + strlen(quoted) + strspn(at + strlen(quoted), " ") : NULL;
}

// Finds the solicitacoes of each pessoa.
static void link_rows(void) {
    newest = calloc(PESSOAS->highest + 1, sizeof *newest);
    for (long id = 1; id <= SOLICITACOES->highest; id++) {
        Row *row = &SOLICITACOES->rows[id];
        const char *pessoa = row->json ? member(row->json, "pessoa_id") : NULL;
        if (!pessoa || (row->pessoa = atol(pessoa)) > PESSOAS->highest) continue;
        row->before = newest[row->pessoa];
        newest[row->pessoa] = id;
    }
}

// The collection that `path` names, and the rest of the path after its name; NULL if there is none.
static Collection *collection_of(const char *path, const char **rest) {
    if (strncmp(path, "/api/", 5)) return NULL;
    for (int n = 0; n < COLLECTIONS; n++) {
        size_t length = strlen(collections[n].name);
        if (!strncmp(path + 5, collections[n].name, length) && path[5 + length] == '/') {
            *rest = path + 6 + length;
            return &collections[n];
        }
    }
    return NULL;
}

// Appends the rows of the ids that `text` names up to `end`, with commas, plain or percent-encoded, between them.
static void put_ids(Collection *from, const char *text, char end) {
    while (*text && *text != end) {
        if (*text == '%') {
            text += 3;
        } else if (*text < '0' || *text > '9') {
            text++;
        } else {
            char *after;
            long id = strtol(text, &after, 10);
            text = after;
            if (id > from->highest || !from->rows[id].json) continue;
            if (body.at[body.used - 1] == '}') put(&body, ",", 1);
            put(&body, from->rows[id].json, from->rows[id].length);
        }
    }
}

// The id at the end of a cursor, which is base64url of `["data_solicitacao","…",id]`; -1 if it is not a cursor.
static long id_of_cursor(const char *cursor) {
    char text[256];
    unsigned bits = 0, have = 0, length = 0;
    for (; length < sizeof text - 1; cursor++) {
        int c = *cursor, value;
        if (c >= 'A' && c <= 'Z') value = c - 'A';
        else if (c >= 'a' && c <= 'z') value = c - 'a' + 26;
        else if (c >= '0' && c <= '9') value = c - '0' + 52;
        else if (c == '-') value = 62;
        else if (c == '_') value = 63;
        else break;
        bits = bits << 6 | value;
        if ((have += 6) >= 8) text[length++] = bits >> (have -= 8) & 255;
    }
    text[length] = 0;
    char *comma = strrchr(text, ',');
    return comma ? atol(comma + 1) : -1;
}

// Appends `size` rows with falling ids, beginning before `below`; returns the last id, or 0 if there is no row.
static long put_page(Collection *from, long below, long size) {
    long last = 0;
    for (long id = below - 1; id > 0 && size > 0; id--) {
        if (!from->rows[id].json) continue;
        if (last) put(&body, ",", 1);
        put(&body, from->rows[id].json, from->rows[id].length);
        last = id;
        size--;
    }
    return last;
}

// The value of parameter `name` of a query string; NULL when there is none.
static const char *parameter(const char *query, const char *name) {
    size_t length = strlen(name);
    for (const char *at = query; at; at = strchr(at, '&')) {
        if (*at == '&') at++;
        if (!strncmp(at, name, length) && at[length] == '=') return at + length + 1;
    }
    return NULL;
}

static int backwards(const char *ordering, size_t skip) {
    return ordering && (!strncmp(ordering + skip, "-data_solicitacao", 17) || !strncmp(ordering + skip, "-id", 3));
}

// Appends the newest `size` solicitacoes of each pessoa that `ids` names.
static void put_groups(const char *ids, long size) {
    char text[96];
    put_text(&body, "{\"groups\":[");
    for (ids++; *ids && *ids != ']'; ids += strspn(ids, ", ")) {
        char *after;
        long pessoa = strtol(ids, &after, 10), left = size;
        if (after == ids) break;
        ids = after;
        long id = pessoa > 0 && pessoa <= PESSOAS->highest ? newest[pessoa] : 0;
        if (body.at[body.used - 1] == '}') put(&body, ",", 1);
        put(&body, text, snprintf(text, sizeof text, "{\"id\":%ld,\"items\":[", pessoa));
        for (; id && left; id = SOLICITACOES->rows[id].before, left--) {
            if (left < size) put(&body, ",", 1);
            put(&body, SOLICITACOES->rows[id].json, SOLICITACOES->rows[id].length);
        }
        const char *more = id ? "true" : "false";
        put(&body, text, snprintf(text, sizeof text, "],\"has_next\":%s,\"has_previous\":false}", more));
    }
    put_text(&body, "]}");
}

static int query(Collection *from, const char *json) {
    char end[96];
    const char *ids = member(json, "ids"), *first = member(json, "first"), *after = member(json, "after");
    from->queries++;
    if (member(json, "filter") || member(json, "last")) return 501;
    if (member(json, "per")) {
        const char *field = member(json, "field");
        int served = from == SOLICITACOES && field && !strncmp(field, "\"pessoa_id\"", 11) && ids && first && !after;
        if (!served || member(json, "count") || !backwards(member(json, "ordering"), 1)) return 501;
        put_groups(ids, atol(first));
        return 200;
    }
    if (ids) {
        put_text(&body, "{\"items\":[");
        put_ids(from, ids, ']');
        put_text(&body, "]}");
        return 200;
    }
    if (!first || !backwards(member(json, "ordering"), 1)) return 501;
    int counted = (json = member(json, "count")) && *json == 't';
    put_text(&body, "{\"items\":[");
    long last = put_page(from, after ? id_of_cursor(after + 1) : from->highest + 1, atol(first));
    int length = snprintf(end, sizeof end, "],\"has_next\":%s,\"has_previous\":%s", last > 1 ? "true" : "false",
                          after ? "true" : "false");
    put(&body, end, length);
    if (counted) put(&body, end, snprintf(end, sizeof end, ",\"count\":%ld", from->count));
    put(&body, "}", 1);
    return 200;
}

static int list(Collection *from, const char *asked, char *headers, size_t size) {
    const char *ids = parameter(asked, "id"), *cursor = parameter(asked, "cursor"), *rows = parameter(asked, "page_size");
    from->lists++;
    put(&body, "[", 1);
    if (ids) {
        // Tailcall names the parameter once for each id.
        for (; ids; ids = parameter(strchr(ids, '&'), "id")) put_ids(from, ids, '&');
    } else {
        if (!backwards(parameter(asked, "ordering"), 0)) return 501;
        long last = put_page(from, cursor ? id_of_cursor(cursor) : from->highest + 1, rows ? atol(rows) : 100);
        int used = 0;
        if (last > 1)
            used = snprintf(headers, size,
                            "link: </api/%s/?page_size=%ld&ordering=-data_solicitacao&count=true&cursor=%s>; "
                            "rel=\"next\"\r\n", from->name, rows ? atol(rows) : 100, from->rows[last].cursor);
        const char *counted = parameter(asked, "count");
        if (counted && *counted == 't') snprintf(headers + used, size - used, "x-total-count: %ld\r\n", from->count);
    }
    put(&body, "]", 1);
    return 200;
}

static int calls(void) {
    char line[256];
    put(&body, "{", 1);
    for (int n = 0; n < COLLECTIONS; n++) {
        Collection *of = &collections[n];
        int length = snprintf(line, sizeof line,
                              "%s\"POST /api/%s/query/\":%lu,\"GET /api/%s/\":%lu,\"GET /api/%s/{id}/\":%lu",
                              n ? "," : "", of->name, of->queries, of->name, of->lists, of->name, of->items);
        put(&body, line, length);
    }
    put(&body, "}", 1);
    return 200;
}

// Writes the answer to one request into `body` and `headers`; returns its status.
static int answer(int post, const char *path, const char *sent, char *headers, size_t size) {
    const char *rest;
    if (!post && !strcmp(path, "/calls")) return calls();
    if (post && !strcmp(path, "/v1/traces")) return 200;  // the spans of a gateway
    Collection *of = collection_of(path, &rest);
    if (!of) return 501;
    if (post) return strcmp(rest, "query/") ? 501 : query(of, sent);
    if (*rest == 0 || *rest == '?') return list(of, *rest ? rest + 1 : rest, headers, size);
    long id = atol(rest);
    if (id < 1 || id > of->highest || !of->rows[id].json) return 501;
    of->items++;
    put(&body, of->rows[id].json, of->rows[id].length);
    return 200;
}

static void watch(Connection *connection, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(poller, operation, connection->fd, &event)) fail("epoll_ctl");
}

static void drop(Connection *connection) {
    close(connection->fd);
    free(connection->in.at);
    free(connection->out.at);
    free(connection);
}

// Sends head and body at once, and keeps what the socket does not take.
static int dispatch(Connection *to, char *head, size_t length) {
    ssize_t sent = 0;
    if (!to->out.used) {
        struct iovec parts[] = {{head, length}, {body.at, body.used}};
        sent = writev(to->fd, parts, 2);
        if (sent < 0 && errno != EAGAIN) return -1;
        if (sent < 0) sent = 0;
        if ((size_t)sent == length + body.used) return 0;
        watch(to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
    if ((size_t)sent < length) put(&to->out, head + sent, length - sent);
    size_t of_body = (size_t)sent > length ? sent - length : 0;
    put(&to->out, body.at + of_body, body.used - of_body);
    return 0;
}

// Answers every complete request in the buffer; returns -1 if the connection is to be closed.
static int serve(Connection *connection) {
    Buffer *in = &connection->in;
    for (;;) {
        char headers[512] = "", head[1024];
        reserve(in, 1);
        in->at[in->used] = 0;
        char *end = memmem(in->at, in->used, "\r\n\r\n", 4);
        if (!end) return 0;
        end[2] = 0;
        char *content = end + 4, *given = strcasestr(in->at, "\r\ncontent-length:");
        size_t length = given ? strtoul(given + 17, NULL, 10) : 0, whole = content - in->at + length;
        if (in->used < whole) {
            end[2] = '\r';
            return 0;
        }
        if (strcasestr(in->at, "\r\ntransfer-encoding:")) return -1;
        int post = !strncmp(in->at, "POST ", 5);
        char *path = strchr(in->at, ' '), *after_path = path ? strchr(path + 1, ' ') : NULL;
        if (!after_path) return -1;
        *after_path = 0;
        char kept = content[length];
        content[length] = 0;
        body.used = 0;
        int status = answer(post, path + 1, content, headers, sizeof headers);
        if (status != 200) body.used = 0;
        content[length] = kept;
        int size = snprintf(head, sizeof head,
                            "HTTP/1.1 %d %s\r\ndate: Sun, 23 Nov 2025 12:00:00 GMT\r\ncontent-type: application/json\r\n"
                            "content-length: %zu\r\n%sx-request-id: 0af7651916cd43dd8448eb211c80319c\r\n\r\n",
                            status, status == 200 ? "OK" : "Not Implemented", body.used, headers);
        if (dispatch(connection, head, size)) return -1;
        memmove(in->at, in->at + whole, in->used -= whole);
    }
}

static int flush(Connection *connection) {
    Buffer *out = &connection->out;
    ssize_t sent = write(connection->fd, out->at + connection->sent, out->used - connection->sent);
    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    if ((connection->sent += sent) == out->used) {
        out->used = connection->sent = 0;
        watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    }
    return 0;
}

static int receive(Connection *connection) {
    reserve(&connection->in, 65536);
    ssize_t got = read(connection->fd, connection->in.at + connection->in.used, 65535);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) return -1;
    connection->in.used += got;
    return serve(connection);
}

static void accept_one(int listening) {
    int one = 1, fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Connection *connection = calloc(1, sizeof *connection);
    connection->fd = fd;
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

static void listen_on(int port) {
    struct sockaddr_in address = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (void *)&address, sizeof address) || listen(fd, 1024)) fail("listen");
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (unsigned)fd};  // a small number, unlike any pointer
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(int count, char **arguments) {
    struct epoll_event events[256];
    if (count < 3) return 2;
    signal(SIGPIPE, SIG_IGN);
    read_rows(arguments[1]);
    link_rows();
    poller = epoll_create1(0);
    for (int n = 2; n < count; n++) listen_on(atoi(arguments[n]));
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int n = 0; n < ready; n++) {
            if (events[n].data.u64 < 65536) {
                accept_one(events[n].data.u64);
                continue;
            }
            Connection *connection = events[n].data.ptr;
            int gone = events[n].events & EPOLLOUT ? flush(connection) : 0;
            if (!gone && events[n].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) gone = receive(connection);
            if (gone) drop(connection);
        }
    }
}
