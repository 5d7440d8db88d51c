import Glibc
import UnixSignals

/// Runs a server until it ends by itself or is told to stop.
enum Service {
    /// Catches SIGTERM and SIGINT from now on; to be done before anything is announced, so that a signal
    /// which answers the announcement finds somebody.
    ///
    /// - Parameter hangsUp: Whether the end of its terminal (SIGHUP) tells it to stop, too, unless whoever started
    ///   it has that ignored (nohup(1)).
    /// - Returns: the signals, from now on.
    static func trapSignals(hangsUp: Bool = false) async -> UnixSignalsSequence {
        var action = sigaction()
        let isKnown = sigaction(SIGHUP, nil, &action) == 0
        // SIG_IGN is the address 1.
        let isIgnored =
            isKnown && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
        guard hangsUp, !isIgnored else {
            return await UnixSignalsSequence(trapping: .sigterm, .sigint)
        }
        return await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    }

    /// Runs `serve`; at the first of `signals` runs `drain` beside it and returns when that is
    /// done, at the second returns at once.
    ///
    /// - Throws: what `serve` throws, but for its cancellation.
    static func run(
        until signals: UnixSignalsSequence,
        serve: @escaping @Sendable () async throws -> Void,
        drain: @escaping @Sendable () async -> Void
    ) async throws {
        let (outcomes, continuation) = AsyncStream.makeStream(of: Result<Void, any Error>.self)
        let serving = Task {
            do {
                try await serve()
                continuation.yield(.success(()))
            } catch is CancellationError {
            } catch {
                continuation.yield(.failure(error))
            }
        }
        let watching = Task {
            var isDraining = false
            for await _ in signals {
                guard !isDraining else { break }
                isDraining = true
                Task {
                    await drain()
                    continuation.yield(.success(()))
                }
            }
            if isDraining { continuation.yield(.success(())) }
        }
        defer {
            serving.cancel()
            watching.cancel()
        }
        for await outcome in outcomes { return try outcome.get() }
    }
}
