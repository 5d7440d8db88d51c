import HTTPSemantics
import NIOCore

/// The version-specific end of an exchange: how its answer is written to the visitor.
///
/// Order of calls: any number of interim heads, one final head (or one upgrade), data, the end; or
/// `breakOff` anywhere. Nothing is written before `flushAnswer`. All calls come on the event loop.
protocol VisitorResponder: AnyObject {
    /// An interim head; left out for HTTP/1.0 (RFC 9110 §15.2).
    func answerInterim(_ head: ResponseHead)
    /// The final head. `hasNoBody`: the message ends with it, whatever its fields say.
    func answerHead(_ head: ResponseHead, hasNoBody: Bool)
    /// The 101 head; data that follows is opaque bytes.
    func answerUpgrade(_ head: ResponseHead)
    /// A piece of the body; report it with `VisitorExchange.delivered` once it is out of memory.
    func answerData(_ data: ByteBuffer)
    func answerEnd(trailers: HTTPFields?)
    /// The answer cannot be completed: the visitor must not take it for whole. It gets what there is
    /// first, unless `atOnce`, which lets go of what is still unwritten.
    func breakOff(atOnce: Bool)
    /// This connection must not carry another request.
    func closeAfterAnswer()
    func flushAnswer()
    /// The exchange may take more of the request's body than before, or is over.
    func exchangeAdvanced()
}
