import HTTPSemantics
import NIOCore

/// What carries one exchange to an origin: a connection of its own in HTTP/1.1, a stream of a shared
/// one in HTTP/2. Confined to the exchange's event loop.
///
/// It tells its exchange what comes of the answer, and that it is lost; after `release`, `close` or
/// `abandon` it tells nothing more.
protocol OriginLink: AnyObject {
    /// Whether fewer than `OriginLimits.writeHighWaterBytes` wait to be written; turning true again is
    /// told by `connectionBecameWritable`.
    var isWritable: Bool { get }

    /// What was last wrong with it, in words, for a log.
    var failureDetail: String? { get }

    /// Takes on an exchange and writes its head.
    ///
    /// - Returns: false when the head cannot be written in the link's version of HTTP; nothing was
    ///   written then.
    func begin(
        _ exchange: OriginExchange,
        head: RequestHead,
        host: String,
        framing: RequestFraming,
        traits: RequestTraits
    ) -> Bool

    /// Writes a piece of the body as the framing has it, or opaque bytes after a 101.
    func writeBody(_ bytes: ByteBuffer)

    /// Writes what ends the body.
    ///
    /// - Returns: false when the trailers cannot be written; nothing was written then.
    func endBody(trailers: HTTPFields) -> Bool

    func flush()

    /// Lets the origin wait until `resumeReading`; what was received already is still delivered.
    func pauseReading()
    func resumeReading()

    /// After a 101: ends our side once what was written has gone.
    func closeOutput()

    /// The exchange is over: the link may serve another one.
    ///
    /// - Parameter now: the time, for the limit on idling.
    func release(now: NIODeadline)

    /// After a 101, both sides have ended: closes in order.
    func close()

    /// Leaves at once: the exchange was given up, and the origin shall see that it was.
    func abandon()
}

/// Something an exchange waits for a link with.
protocol OriginWait: AnyObject {
    /// Stops: the exchange is told nothing.
    func cancel()
}
