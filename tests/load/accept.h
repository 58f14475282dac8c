/* What stall.c and record.c have in common: a server's side of a connection. */
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Accept a connection of listener and begin its session, which belongs to user
 * and allows so many streams; ep is to report input with user.  Return the
 * socket; exit where that fails. */
static int accept_h2(int ep, int listener, nghttp2_session **session,
                     const nghttp2_session_callbacks *cb, unsigned streams,
                     void *user)
{
    nghttp2_settings_entry most = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                    streams };
    struct epoll_event e = { EPOLLIN, { .ptr = user } };
    int one = 1, fd = accept(listener, NULL, NULL);
    if (fd < 0 || !user ||
        nghttp2_session_server_new(session, cb, user) ||
        nghttp2_submit_settings(*session, NGHTTP2_FLAG_NONE, &most, 1) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ||
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) {
        perror("accept");
        exit(1);
    }
    return fd;
}
