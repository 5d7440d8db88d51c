internal import ControlAPI
internal import Foundation
internal import HTTPSemantics
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Routes of the API, below `/api/v1`.
typealias APIGroup = RouterGroup<ControlContext>

extension Response {
    /// A document as JSON.
    init(_ document: some Encodable, status: HTTPResponse.Status = .ok) throws {
        let body = try APICoding.encoder.encode(document)
        self.init(
            status: status,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: body))
        )
    }

    /// 204.
    static var done: Response { Response(status: .noContent, headers: [:]) }
}

extension Request {
    /// The body as a document.
    ///
    /// - Throws: `invalid`, naming the key that is wrong.
    func document<Document: Decodable>(_ type: Document.Type) async throws -> Document {
        let body = try await self.body.collect(upTo: APICoding.maximumRequestBytes)
        return try APICoding.decoder.decode(type, from: Data(body.readableBytesView))
    }

    /// The body as a document; nil when there is none.
    ///
    /// - Throws: `invalid`, naming the key that is wrong.
    func optionalDocument<Document: Decodable>(_ type: Document.Type) async throws -> Document? {
        let body = try await self.body.collect(upTo: APICoding.maximumRequestBytes)
        guard body.readableBytes > 0 else { return nil }
        return try APICoding.decoder.decode(type, from: Data(body.readableBytesView))
    }

    /// Whether the query says `name=true`; false without it.
    ///
    /// - Throws: `invalid` when it says anything but `true` or `false`, or both.
    func flag(_ name: String) throws(APIProblem) -> Bool {
        let values = Set(self.uri.queryParameters[values: name[...]])
        switch values {
        case [], ["false"]: return false
        case ["true"]: return true
        default: throw APIProblem(.invalid, "\(name) is true or false")
        }
    }
}

extension ControlContext {
    /// What stands in the path for `name`, percent-decoded.
    ///
    /// - Throws: `invalid` when that is no text.
    func path(_ name: String) throws(APIProblem) -> String {
        guard let text = self.parameters.get(name)?.removingPercentEncoding else {
            throw APIProblem(.invalid, "the path is not written as it has to be")
        }
        return text
    }
}

extension HostPattern {
    /// A hostname as somebody wrote it.
    ///
    /// - Throws: `invalid`, saying why it is none.
    init(asked text: String) throws(APIProblem) {
        do {
            try self.init(text)
        } catch {
            throw APIProblem(.invalid, "\"\(text)\" is no hostname: \(error)")
        }
    }
}

extension NormalizedHost {
    /// A suffix as somebody wrote it.
    ///
    /// - Throws: `invalid`, saying why it is none.
    init(asked text: String) throws(APIProblem) {
        do {
            try self.init(text)
        } catch {
            throw APIProblem(.invalid, "\"\(text)\" is no hostname: \(error)")
        }
    }
}
