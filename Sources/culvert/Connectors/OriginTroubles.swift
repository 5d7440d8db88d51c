import CulvertConnector
import Logging
import Synchronization
import TunnelWire

/// Tells of services that fail, where everybody looks: a warning with the cause, for each service once in ten
/// seconds at most, which counts those that failed since the last one. Any thread.
final class OriginTroubles: Sendable {
    private static let interval = Duration.seconds(10)
    /// Of further services, nothing is told but at `debug`.
    private static let maximumOrigins = 256

    private struct Trouble {
        var told: ContinuousClock.Instant?
        var failures = 0
    }

    private let troubles = Mutex<[String: Trouble]>([:])
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    /// An exchange is over.
    func note(_ record: ExchangeRecord) {
        guard let failure = record.failure, Self.isTheOrigins(failure.code) else { return }
        guard let count = self.count(record.origin) else { return }
        self.logger.warning(
            "The service fails",
            metadata: [
                "origin": "\(record.origin)", "failure": "\(failure)", "requests": "\(count)",
            ]
        )
    }

    /// How many have failed since it was told of; nil when it is not to be told of yet.
    private func count(_ origin: String) -> Int? {
        let now = ContinuousClock.now
        return self.troubles.withLock { troubles in
            var trouble = troubles[origin] ?? Trouble()
            guard troubles[origin] != nil || troubles.count < Self.maximumOrigins else {
                return nil
            }
            defer { troubles[origin] = trouble }
            trouble.failures += 1
            if let told = trouble.told, now - told < Self.interval { return nil }
            defer { trouble.failures = 0 }
            trouble.told = now
            return trouble.failures
        }
    }

    /// Whether a reset with this code is the service's doing, and not a visitor's or the tunnel's.
    private static func isTheOrigins(_ code: ResetCode) -> Bool {
        switch code {
        case .originUnreachable, .originTimeout, .malformedMessage, .truncated: true
        default: false
        }
    }
}
