internal import Logging
internal import TunnelSession
internal import TunnelWire

// An edge that stops: nobody new is let in, and who loses his link cannot come back.
extension EdgeEndpoint {
    /// Any thread: refuses new logins; connectors are asked to go elsewhere. Links that are on their way
    /// may still go on with their sessions. `completion` is called in a turn of the transport; from then
    /// on no session begins.
    package func drain(completion: @escaping @Sendable () -> Void = {}) {
        self.host.execute {
            self.isDraining = true
            for driver in self.sessions.values {
                driver.session.startDraining()
                driver.markDirty()
            }
            completion()
        }
    }

    /// Any thread: nothing will be adopted any more. Once the logins under way are over, which each has a
    /// deadline for, sessions that are without a link, or lose it, end at once: their streams are reset as
    /// `sessionStopped` instead of waiting for somebody who cannot come.
    package func adoptNoMore() {
        self.logins.whenNone { [weak self] in
            guard let self else { return }
            self.host.execute { self.endStranded() }
        }
        self.host.execute {
            self.adoptsNoMore = true
            self.endStranded()
        }
    }

    private func endStranded() {
        for driver in Array(self.sessions.values) { self.endIfStranded(driver) }
    }

    /// Ends a session that has no link and can get none. In a turn of the transport.
    func endIfStranded(_ driver: SessionDriver) {
        guard self.adoptsNoMore, !driver.session.hasLink, !driver.session.isClosed,
            self.logins.isEmpty
        else { return }
        self.host.logger.info(
            "A connector has lost its link, and an edge that stops takes no other: its session ends",
            metadata: ["session": "\(driver.id)", "requests": "\(driver.session.streamCount)"]
        )
        driver.session.close(.shutdown, reason: "the edge stops")
        driver.markDirty()
    }
}
