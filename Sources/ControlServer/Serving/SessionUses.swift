internal import CulvertControl
internal import Foundation
internal import Logging
internal import Synchronization

/// When the uses of sessions can be kept. Any thread.
final class SessionUses: Sendable {
    /// How long a store that has failed is left alone.
    private static let pauseSeconds: TimeInterval = 60

    private let pausedUntil = Mutex<Date?>(nil)

    func mayTry(at now: Date) -> Bool {
        self.pausedUntil.withLock { $0.map { $0 <= now } ?? true }
    }

    func pause(at now: Date) { self.pausedUntil.withLock { $0 = now + Self.pauseSeconds } }
}

extension ControlDesk {
    /// Keeps that a session is in use: a commit once a day. That the store cannot turns nobody away.
    func noteUse(of token: AccessToken) async {
        let now = self.now()
        guard token.isUseNews(at: now), self.uses.mayTry(at: now) else { return }
        let policy = self.policy
        do {
            try await self.control.change { registry throws(ControlError) in
                try policy.noteUse(of: token.id, at: now, registry)
            }
        } catch let error as StoreError {
            self.uses.pause(at: now)
            self.logger.warning("That a session is in use could not be kept: \(error)")
        } catch {
            // It has ended meanwhile, another of its requests was faster, or nobody waits any more.
        }
    }
}
