import AsyncHTTPClient
package import ConfigurationFile
import ControlAPI
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Asks an edge's API for things, over HTTPS: see the article of `ControlAPI`.
///
/// Redirects are not followed, since an API sends none. Any thread.
package struct ControlClient: Sendable {
    /// Whom to ask, and how to get there.
    package struct Options: Sendable {
        package var edge: EdgeURL
        /// Where the edge is dialled instead of where its name leads.
        package var address: HostPort?
        /// A PEM file of CA certificates, trusted beside the system's.
        package var caFile: String?
        /// What the way out of the network is; nil for a direct one.
        package var proxy: WebProxy?
        /// A session token. A secret: it is in no error and no log.
        package var token: String?
        /// This program and its version, as `culvert/1.0`.
        package var agent: String
        /// A whole request takes at most so long; 60 s.
        package var timeout: Duration = .seconds(60)
        /// A connection is made within so long; 10 s.
        package var connectTimeout: Duration = .seconds(10)

        package init(edge: EdgeURL, agent: String) {
            self.edge = edge
            self.agent = agent
        }
    }

    let options: Options
    private let http: HTTPClient

    /// Runs `body` with a client, and ends its connections.
    ///
    /// - Throws: what `body` throws; `ControlClientError` when the CA file cannot be used.
    package static func with<Result>(
        _ options: Options,
        isolation: isolated (any Actor)? = #isolation,
        _ body: (ControlClient) async throws -> Result
    ) async throws -> Result {
        let client = try ControlClient(options)
        do {
            let result = try await body(client)
            try? await client.http.shutdown()
            return result
        } catch {
            try? await client.http.shutdown()
            throw error
        }
    }

    private init(_ options: Options) throws(ControlClientError) {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = try Self.tls(options.caFile)
        configuration.redirectConfiguration = .disallow
        configuration.timeout.connect = TimeAmount(options.connectTimeout)
        // An answer of lines has one every 15 s.
        configuration.timeout.read = .seconds(60)
        // Otherwise a refused connection is tried again until the time is over.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        configuration.proxy = options.proxy?.configuration
        if let address = options.address {
            configuration.dnsOverride = [options.edge.host: address.host]
        }
        self.options = options
        self.http = HTTPClient(
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            configuration: configuration
        )
    }

    private static func tls(_ caFile: String?) throws(ControlClientError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        // Who has given up on an edge does not wait for its goodbye.
        tls.shutdownTimeout = .milliseconds(200)
        guard let caFile else { return tls }
        do {
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(caFile))]
        } catch {
            throw .unusable(
                "The CA file \(caFile) cannot be read, or has no PEM certificate in it."
            )
        }
        return tls
    }

    // MARK: Requests

    /// An answer that says that it is fine.
    struct Answer {
        var status: Int
        var body: Data
    }

    /// How long a request waits in all, where the edge says that it comes too soon (429 with `Retry-After`, RFC
    /// 9110 §10.2.3); beyond that it fails.
    private static let longestPause = Duration.seconds(10)

    /// Sends a request for `/api/v1/…`; each segment of the path is encoded. One that comes too soon is sent
    /// again when the edge says, within ``longestPause``.
    ///
    /// - Throws: why there is no answer that is fine.
    func send(
        _ method: HTTPMethod,
        _ path: [String],
        query: [(name: String, value: String)] = [],
        body: Data? = nil
    ) async throws(ControlClientError) -> Answer {
        let request = self.request(method, path, query, body)
        var paused = Duration.zero
        while true {
            let (answer, headers) = try await self.exchange(request)
            guard !(200..<300).contains(answer.status) else { return answer }
            let kind = headers.first(name: "content-type") ?? ""
            let failure = self.failure(answer, kind, headers.first(name: "location"))
            guard failure.isProblem(.rateLimited), let pause = Self.pause(headers),
                paused + pause <= Self.longestPause
            else { throw failure }
            paused += pause
            do { try await Task.sleep(for: pause) } catch { throw failure }
        }
    }

    /// What `Retry-After` asks for, in whole seconds, at least one; nil when it says nothing of the kind.
    private static func pause(_ headers: HTTPHeaders) -> Duration? {
        guard let text = headers.first(name: "retry-after"), let seconds = Int(text), seconds >= 0
        else { return nil }
        return .seconds(max(1, seconds))
    }

    private func exchange(
        _ request: HTTPClientRequest
    ) async throws(ControlClientError) -> (answer: Answer, headers: HTTPHeaders) {
        let status: Int
        let headers: HTTPHeaders
        let content: ByteBuffer
        do {
            let deadline = NIODeadline.now() + TimeAmount(self.options.timeout)
            let response = try await self.http.execute(request, deadline: deadline)
            status = Int(response.status.code)
            headers = response.headers
            content = try await response.body.collect(upTo: APICoding.maximumAnswerBytes)
        } catch {
            throw ControlClientError(cause: error, options: self.options)
        }
        return (Answer(status: status, body: Data(content.readableBytesView)), headers)
    }

    /// Asks for an answer of lines that come one by one, without a limit in time; each is handed on without
    /// its end.
    ///
    /// - Throws: why there is no answer that is fine, or how it broke off.
    func receiveLines(
        of path: [String],
        _ body: (Data) throws(ControlClientError) -> Void
    ) async throws(ControlClientError) {
        let request = self.request(.GET, path, [], nil)
        do {
            let response = try await self.http.execute(request, deadline: .distantFuture)
            guard response.status == .ok else {
                let content = try await response.body.collect(upTo: APICoding.maximumAnswerBytes)
                throw self.failure(
                    Answer(
                        status: Int(response.status.code),
                        body: Data(content.readableBytesView)
                    ),
                    response.headers.first(name: "content-type") ?? "",
                    response.headers.first(name: "location")
                )
            }
            var rest = Data()
            for try await piece in response.body {
                rest.append(contentsOf: piece.readableBytesView)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    try body(Data(rest[..<end]))
                    rest = Data(rest[rest.index(after: end)...])
                }
                guard rest.count <= APICoding.maximumRequestBytes else {
                    throw ControlClientError.notAnEdge(self.options.edge, "a line has no end")
                }
            }
        } catch let error as ControlClientError {
            throw error
        } catch {
            throw ControlClientError(cause: error, options: self.options)
        }
    }

    private func request(
        _ method: HTTPMethod,
        _ path: [String],
        _ query: [(name: String, value: String)],
        _ body: Data?
    ) -> HTTPClientRequest {
        let edge = self.options.edge
        let dialled = HostPort(host: edge.host, port: self.options.address?.port ?? edge.port)
        let segments = path.map(Self.encoded).joined(separator: "/")
        let pairs = query.map { "\($0.name)=\(Self.encoded($0.value))" }.joined(separator: "&")
        let target = "/api/v1/" + segments + (pairs.isEmpty ? "" : "?" + pairs)
        var request = HTTPClientRequest(url: "https://\(dialled)\(target)")
        request.method = method
        // Not where it is dialled: the edge goes by its own name.
        request.headers.add(name: "host", value: edge.authority)
        request.headers.add(name: "user-agent", value: self.options.agent)
        request.headers.add(name: "accept", value: "application/json")
        if let token = self.options.token {
            request.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body)
        }
        return request
    }

    private func failure(
        _ answer: Answer,
        _ kind: String,
        _ location: String?
    ) -> ControlClientError {
        let edge = self.options.edge
        if let problem = try? APICoding.decoder.decode(APIProblem.self, from: answer.body) {
            let isLoggedOut = problem.code == APIProblem.Code.unauthenticated.rawValue
            return isLoggedOut && self.options.token != nil
                ? .loggedOut(edge) : .problem(problem, edge)
        }
        if (300..<400).contains(answer.status) {
            let place = location.map { " to \(printable(String($0.prefix(200))))" } ?? ""
            return .notAnEdge(edge, "it redirects\(place)")
        }
        return .notAnEdge(edge, "it answered \(answer.status) \(Self.named(kind))")
    }

    /// All items of a list, page by page: as many requests as the edge makes pages.
    ///
    /// - Throws: `notAnEdge` when a page is to follow itself.
    func items<Item>(
        of path: [String],
        query: [(name: String, value: String)] = []
    ) async throws(ControlClientError) -> ListDocument<Item> {
        var items: [Item] = []
        var place: String?
        while true {
            let query = query + (place.map { [(name: "after", value: $0)] } ?? [])
            let page: ListDocument<Item> = try self.document(
                await self.send(.GET, path, query: query)
            )
            items += page.items
            guard let next = page.next else { return ListDocument(items) }
            guard next != place, !page.items.isEmpty else {
                throw .notAnEdge(self.options.edge, "a page of its list follows itself")
            }
            place = next
        }
    }

    /// The document that an answer has.
    ///
    /// - Throws: `notAnEdge` when it has none.
    func document<Document: Decodable>(
        _ answer: Answer,
        as type: Document.Type = Document.self
    ) throws(ControlClientError) -> Document {
        do {
            return try APICoding.decoder.decode(type, from: answer.body)
        } catch {
            throw .notAnEdge(
                self.options.edge,
                "its answer of \(answer.body.count) bytes is no \(type) that this culvert can read"
            )
        }
    }

    /// The JSON of a document.
    static func json(_ document: some Encodable) throws(ControlClientError) -> Data {
        do {
            return try APICoding.encoder.encode(document)
        } catch {
            throw .unusable("What is to be sent cannot be written as JSON.")
        }
    }

    /// Text as one segment of a path, or one value of a query: everything but RFC 3986's unreserved
    /// characters in percent-encoding. A segment of dots alone would be taken for a direction.
    static func encoded(_ text: String) -> String {
        if text == "." || text == ".." { return text.replacing(".", with: "%2E") }
        return text.utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    private static func named(_ kind: String) -> String {
        let name = kind.prefix { $0 != ";" }
        return name.isEmpty
            ? "without saying with what" : "with \(printable(String(name.prefix(100))))"
    }
}

extension ControlClient.Options: CustomStringConvertible, CustomReflectable {
    /// Without the token: what is logged is lost.
    package var description: String { "\(self.edge) as \(self.agent)" }

    package var customMirror: Mirror { Mirror(self, children: ["edge": "\(self.edge)"]) }
}
