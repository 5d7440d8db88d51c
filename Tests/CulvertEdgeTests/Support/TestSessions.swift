import Logging
import NIOPosix
import TunnelSession
import TunnelWire

@testable import TunnelLink

/// Sessions that are connected and carry nothing.
struct TestSessions {
    let host = SessionHost(
        group: MultiThreadedEventLoopGroup.singleton,
        logger: Logger(label: "test")
    )

    /// A session with a number of its own.
    func make(_ number: UInt64) -> SessionDriver {
        SessionDriver(
            id: SessionID(high: 7, low: number),
            publicKey: [],
            session: Session(
                role: .edge,
                configuration: SessionConfiguration(),
                peerLimits: SessionLimits(
                    streams: 1,
                    streamWindowBytes: 1,
                    sessionWindowBytes: 1
                ),
                now: Instant(nanoseconds: 0)
            ),
            host: self.host
        )
    }

    /// Has a session wait for another link.
    func loseLink(_ session: SessionDriver) {
        session.session.linkWasLost(now: Instant(nanoseconds: 0))
        session.publish()
    }
}
