package import HTTPSemantics
package import NIOCore

/// A request to the control host, whole: bodies are at most ``APICoding/maximumRequestBytes``.
package struct ControlRequest: Sendable {
    package var head: RequestHead
    package var body: ByteBuffer
    /// Whom it comes from, as text: what limits of one address count by.
    package var address: String

    package init(head: RequestHead, body: ByteBuffer, address: String) {
        self.head = head
        self.body = body
        self.address = address
    }
}

/// Where the answer to a ``ControlRequest`` goes: one head, pieces of the body, the end.
package protocol ControlAnswerWriter: Sendable {
    /// The final head; `Content-Length` is among its fields if it is known.
    func head(_ head: ResponseHead) async throws
    /// A piece of the body. Returns when the next may come: whoever reads slowly is waited for.
    ///
    /// - Throws: `CancellationError` when nobody reads any more.
    func write(_ bytes: ByteBuffer) async throws
    /// The answer is complete. Without this call it is broken off.
    func end() async throws
}
