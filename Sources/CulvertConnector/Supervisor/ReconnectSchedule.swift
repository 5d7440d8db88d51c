/// When to dial again, without a clock or randomness of its own.
///
/// The first dial after a link that lasted comes at once. From then on a connector waits an eighth of
/// the time that it has been away, at least 100 ms and at most 30 s, less a random part of up to
/// half: an edge that restarts has its connectors back within moments, and one that is down for an
/// hour sees each of them twice a minute. What ends an outage is a link that lasted a second: one
/// that is dropped as soon as it is accepted does not.
struct ReconnectSchedule {
    static let ceiling = Duration.seconds(30)
    static let floor = Duration.milliseconds(100)
    /// A link that was up for less does not end an outage.
    static let lasting = Duration.seconds(1)

    private var outageBegan: ContinuousClock.Instant?
    private var hasDialledAtOnce = false

    /// The wait before the next dial, after a link that was up for `lifetime`, which is nil when it
    /// never was; `random` is 0...1.
    mutating func delay(
        afterLinkOf lifetime: Duration?,
        now: ContinuousClock.Instant,
        random: Double
    ) -> Duration {
        if let lifetime, lifetime >= Self.lasting {
            self.outageBegan = nil
            self.hasDialledAtOnce = false
        }
        let began = self.outageBegan ?? now
        self.outageBegan = began
        guard self.hasDialledAtOnce || lifetime == nil else {
            self.hasDialledAtOnce = true
            return .zero
        }
        self.hasDialledAtOnce = true
        let share = min(max((now - began) / 8, Self.floor), Self.ceiling)
        return share * (1 - random / 2)
    }
}
