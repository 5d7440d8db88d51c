internal import Glibc
internal import NIOCore

/// How an edge finds out that a visitor is gone without a word, on a connection that waits for something
/// else: an idle WebSocket, an origin that takes no more of an upload, a shell over TCP.
///
/// The kernel asks a visitor of whom it has heard nothing for a minute, also while the edge reads nothing, and
/// closes after two. Not by TCP_USER_TIMEOUT: that would also end connections of visitors who are there and
/// read nothing for so long (tcp(7)). What is on its way to a visitor that is gone the kernel gives up by
/// itself, after some 15 minutes, where no timeout of HTTP does before.
enum VisitorKeepAlive {
    /// Of silence before the first question.
    static let idleSeconds = 60
    /// Between two questions.
    static let intervalSeconds = 15
    /// Questions without an answer after which the connection is over.
    static let questions = 4

    /// Sets it on an accepted connection, on its loop.
    ///
    /// - Throws: what NIO throws when the channel is closed already.
    static func set(on channel: any Channel) throws {
        let options = channel.syncOptions
        try options?.setOption(.socketOption(.so_keepalive), value: 1)
        let values = [
            (TCP_KEEPIDLE, Self.idleSeconds), (TCP_KEEPINTVL, Self.intervalSeconds),
            (TCP_KEEPCNT, Self.questions),
        ]
        for (name, value) in values {
            try options?.setOption(.tcpOption(.init(rawValue: name)), value: value)
        }
    }
}
