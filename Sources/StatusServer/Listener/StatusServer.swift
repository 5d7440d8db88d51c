package import Logging
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A small HTTP/1.1 server for `metrics:` listeners: a fixed set of paths, GET and HEAD, short answers.
///
/// Answers are made on NIO's shared thread pool, so a large scrape never delays the event loops it
/// shares with visitors. Any thread.
package final class StatusServer: Sendable {
    private struct Contents {
        var phase = Phase.new
        var connections: [ObjectIdentifier: any Channel] = [:]
    }

    private enum Phase {
        case new
        case starting
        case listening(any Channel)
        case stopped
    }

    private let router: StatusRouter
    private let limits: StatusLimits
    private let logger: Logger
    private let contents = Mutex(Contents())

    /// - Parameters:
    ///   - routes: What each path answers, called for each request on any thread, several at once;
    ///     a path begins with a slash and has no query.
    ///   - limits: What a client may cost.
    ///   - logger: Told of the listener's life at `info`, of refused connections at `debug`.
    package init(
        routes: [String: @Sendable () -> StatusAnswer],
        limits: StatusLimits = StatusLimits(),
        logger: Logger
    ) {
        self.router = StatusRouter(routes: routes)
        self.limits = limits
        self.logger = logger
    }

    /// Listens; called once.
    ///
    /// - Parameters:
    ///   - address: `host` is a name, an IPv4 or an IPv6 address without brackets, or empty for every
    ///     address; `port` 0 lets the kernel choose one.
    ///   - passed: A socket that listens already, to be used instead and closed with the listener.
    ///   - group: Whose loops carry the connections.
    /// - Returns: Where it listens, with the port that the kernel chose.
    /// - Throws: `StatusServerError` naming the address and what is in the way.
    package func start(
        on address: (host: String, port: Int),
        passed: CInt? = nil,
        group: any EventLoopGroup
    ) async throws -> SocketAddress {
        let isFirst = self.contents.withLock { contents in
            guard case .new = contents.phase else { return false }
            contents.phase = .starting
            return true
        }
        let name = address.host.contains(":") ? "[\(address.host)]" : address.host
        guard isFirst else { throw StatusServerError(address: name, port: address.port) }
        let listener: any Channel
        do {
            listener = try await self.bind(address, passed: passed, group: group)
        } catch {
            self.contents.withLock { $0.phase = .stopped }
            throw StatusServerError(address: name, port: address.port, cause: error)
        }
        // Whoever stopped the server meanwhile had no listener to close.
        let goesOn = self.contents.withLock { contents in
            guard case .starting = contents.phase else { return false }
            contents.phase = .listening(listener)
            return true
        }
        guard goesOn, let bound = listener.localAddress else {
            try? await listener.close()
            throw StatusServerError(address: name, port: address.port)
        }
        self.logger.info("Status listener started", metadata: ["address": "\(bound)"])
        return bound
    }

    private func bind(
        _ address: (host: String, port: Int),
        passed: CInt?,
        group: any EventLoopGroup
    ) async throws -> any Channel {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Without a free descriptor a connection in the queue would be tried again and again.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
            }
        if let passed { return try await bootstrap.withBoundSocket(passed).get() }
        guard address.host.isEmpty else {
            return try await bootstrap.bind(host: address.host, port: address.port).get()
        }
        do {
            return try await bootstrap.bind(host: "::", port: address.port).get()
        } catch {
            // A kernel without IPv6 has no "::".
            return try await bootstrap.bind(host: "0.0.0.0", port: address.port).get()
        }
    }

    /// On the connection's loop. A connection whose initialiser throws is closed by the bootstrap.
    private func accept(_ channel: any Channel) throws {
        let id = ObjectIdentifier(channel)
        let isAdmitted = self.contents.withLock { contents in
            if case .stopped = contents.phase { return false }
            guard contents.connections.count < self.limits.connections else { return false }
            contents.connections[id] = channel
            return true
        }
        guard isAdmitted else {
            self.logger.debug("Status connection refused: too many are open")
            throw ChannelError.ioOnClosedChannel
        }
        channel.closeFuture.whenComplete { _ in
            self.contents.withLock { _ = $0.connections.removeValue(forKey: id) }
        }
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = self.limits.headBytes
        decoding.maxHeaderListSize = self.limits.headBytes
        decoding.maxHeaderFieldCount = self.limits.fields
        // After an upgrade request the decoder takes no more bytes but keeps them: bound that too.
        let decoder = ByteToMessageHandler(
            HTTPRequestDecoder(limitConfiguration: decoding),
            maximumBufferSize: 64 * 1024
        )
        try channel.pipeline.syncOperations.addHandlers([
            decoder, HTTPResponseEncoder(),
            StatusConnectionHandler(router: self.router, limits: self.limits),
        ])
    }

    /// Closes the listener and every connection, answered or not; returns when all are closed.
    package func stop() async {
        let (listener, connections) = self.contents.withLock { contents in
            defer { contents.phase = .stopped }
            var listener: (any Channel)?
            if case .listening(let channel) = contents.phase { listener = channel }
            return (listener, Array(contents.connections.values))
        }
        try? await listener?.close()
        for connection in connections {
            connection.close(promise: nil)
            try? await connection.closeFuture.get()
        }
    }
}

/// Why a status listener could not be started.
package struct StatusServerError: Error, CustomStringConvertible {
    /// For a person: the address, what is in the way, and what to change if that helps.
    package var message: String

    init(address: String, port: Int, cause: (any Error)? = nil) {
        guard let cause else {
            self.message = "the status listener on \(address):\(port) was started or stopped before"
            return
        }
        let reason = (cause as? IOError).map { String(cString: strerror($0.errnoCode)) }
        self.message =
            "the status listener cannot listen on \(address):\(port): \(reason ?? "\(cause)"); "
            + "set `metrics:` to an address of this machine and a free port"
    }

    package var description: String { self.message }
}
