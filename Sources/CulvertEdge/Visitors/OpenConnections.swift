internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOSSL

/// Visitors' connections, for as long as each is open. Any thread.
final class OpenConnections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = NIOLockedValueBox(State())

    /// Those that are open now.
    var channels: [any Channel] { self.state.withLockedValue { Array($0.open.values) } }

    var count: Int { self.state.withLockedValue { $0.open.count } }

    /// Until it closes.
    func add(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        self.state.withLockedValue { $0.open[key] = channel }
        channel.closeFuture.whenComplete { _ in self.remove(key) }
    }

    /// Returns when none is open, or at the deadline, when what is left is cut.
    func awaitEnd(deadline: NIODeadline) async {
        guard let loop = self.channels.first?.eventLoop else { return }
        let cut = loop.scheduleTask(deadline: deadline) {
            for channel in self.channels { Self.cut(channel) }
        }
        await withCheckedContinuation { continuation in
            let isOver = self.state.withLockedValue { state in
                if !state.open.isEmpty { state.waiting.append(continuation) }
                return state.open.isEmpty
            }
            if isOver { continuation.resume() }
        }
        cut.cancel()
    }

    /// Closes without a word: TLS's own end would wait for the visitor's, five seconds and longer than
    /// there is time.
    private static func cut(_ channel: any Channel) {
        channel.eventLoop.execute {
            let operations = channel.pipeline.syncOperations
            if let tls = try? operations.context(handlerType: NIOSSLServerHandler.self) {
                tls.close(mode: .all, promise: nil)
            } else {
                channel.close(promise: nil)
            }
        }
    }

    private func remove(_ key: ObjectIdentifier) {
        let waiting = self.state.withLockedValue { state in
            state.open[key] = nil
            guard state.open.isEmpty else { return [CheckedContinuation<Void, Never>]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
