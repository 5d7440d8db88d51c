import Testing

@testable import HTTPSemantics

@Suite("Message framing")
struct MessageFramingTests {
    private func request(_ fields: HTTPFields, _ method: String = "POST", minor: Int = 1) throws
        -> BodyFraming
    {
        var fields = fields
        fields.append("Host", "a")
        return try MessageFraming.request(method: method, minorVersion: minor, fields: fields)
    }

    @Test func requests() throws {
        #expect(try self.request([:]) == .none)
        #expect(try self.request(["Content-Length": "0"]) == .none)
        #expect(try self.request(["content-length": "005"]) == .length(5))
        #expect(try self.request(["Transfer-Encoding": "Chunked"]) == .chunked)
        #expect(
            try self.request(["Content-Length": "999999999999999999"])
                == .length(999_999_999_999_999_999)
        )
        #expect(try self.request(["Content-Length": "5"], minor: 0) == .length(5))
    }

    @Test(arguments: [
        "", "+5", "-5", "5,5", "5, 5", "0x5", "5a", "5.0", "1e3", "٥", "1000000000000000000a",
        "-9223372036854775808",
    ])
    func contentLengths(_ value: String) {
        #expect(throws: FramingError.invalidContentLength) {
            try self.request(["Content-Length": value])
        }
    }

    /// Numbers, all of them: it would be wrong to call them anything else.
    @Test(arguments: [
        "1000000000000000000", "9223372036854775808", "18446744073709551616",
        "99999999999999999999999",
    ])
    func contentLengthsBeyondAllLimits(_ value: String) {
        #expect(throws: FramingError.contentLengthTooLarge) {
            try self.request(["Content-Length": value])
        }
        #expect(FramingError.contentLengthTooLarge.status == 400)
    }

    @Test(arguments: ["gzip, chunked", "gzip,deflate , Chunked", ",chunked"])
    func codingsThatAreNotUnderstood(_ value: String) {
        #expect(throws: FramingError.unsupportedTransferEncoding) {
            try self.request(["Transfer-Encoding": value])
        }
        #expect(FramingError.unsupportedTransferEncoding.status == 501)
    }

    @Test(arguments: [
        "xchunked", "chunked, identity", "identity", "gzip", "chunked, chunked", "chunked;a=b", "",
        "\"chunked\"", "chunkedx", "chunked, gzip, chunked",
    ])
    func codingsThatDoNotSayWhereTheBodyEnds(_ value: String) {
        #expect(throws: FramingError.chunkedNotLast) {
            try self.request(["Transfer-Encoding": value])
        }
        #expect(FramingError.chunkedNotLast.status == 400)
    }

    @Test func contradictions() {
        #expect(throws: FramingError.invalidContentLength) {
            try self.request(["Content-Length": "5", "content-length": "5"])
        }
        #expect(throws: FramingError.transferEncodingAndContentLength) {
            try self.request(["Content-Length": "5", "Transfer-Encoding": "chunked"])
        }
        #expect(throws: FramingError.chunkedNotLast) {
            try self.request(["Transfer-Encoding": "chunked", "transfer-encoding": "chunked"])
        }
        #expect(throws: FramingError.transferEncodingInHTTP10) {
            try self.request(["Transfer-Encoding": "chunked"], minor: 0)
        }
        #expect(throws: FramingError.repeatedHost) { try self.request(["host": "a"]) }
        #expect(throws: FramingError.unexpectedBody) {
            try self.request(["Content-Length": "1"], "CONNECT")
        }
        #expect(throws: FramingError.missingHost) {
            try MessageFraming.request(method: "GET", minorVersion: 1, fields: [:])
        }
        #expect(throws: FramingError.tooManyConnectionOptions) {
            try self.request(["Connection": String(repeating: "a,", count: 65)])
        }
        for method in ["", "G T", "GET\r"] {
            #expect(throws: FramingError.invalidMethod) { try self.request([:], method) }
        }
    }

    @Test func namesAndValues() throws {
        for name in ["", "a b", "a:", "a\r", "ü", "a\0", " a", "(a)"] {
            #expect(throws: FramingError.invalidFieldName) { try self.request([name: "v"]) }
        }
        for value in [
            "a\r\nb", "a\nb", "a\rb", "a\0b", "\u{1}", "\u{7F}", " a", "a ", "\ta", "a\t", " ",
        ] {
            #expect(throws: FramingError.invalidFieldValue("X")) { try self.request(["X": value]) }
        }
        for value in ["", "a\tb", "a b", "é", "\"q\""] {
            #expect(try self.request(["X": value]) == .none)
        }
        let delimiters = Set("\"(),/:;<=>?@[\\]{}".utf8)
        for byte in UInt8.min...UInt8.max {
            let isToken = byte > 0x20 && byte < 0x7F && !delimiters.contains(byte)
            #expect(byte.isToken == isToken, "byte \(byte)")
        }
    }

    @Test func responses() throws {
        func response(
            _ status: UInt16,
            _ fields: HTTPFields,
            _ method: String = "GET",
            minor: Int = 1
        ) throws
            -> BodyFraming
        {
            try MessageFraming.response(
                status: status,
                requestMethod: method,
                minorVersion: minor,
                fields: fields
            )
        }
        #expect(try response(200, [:]) == .untilClose)
        #expect(try response(200, ["Content-Length": "0"]) == .none)
        #expect(try response(200, ["Content-Length": "7"]) == .length(7))
        #expect(try response(200, ["Content-Length": "7"], "HEAD") == .none)
        #expect(try response(200, ["Transfer-Encoding": "chunked"], "HEAD") == .none)
        #expect(try response(304, ["Content-Length": "7"]) == .none)
        #expect(try response(204, [:]) == .none)
        #expect(try response(103, [:]) == .none)
        #expect(try response(204, ["Content-Length": "0"]) == .none)
        for status: UInt16 in [100, 101, 204] {
            #expect(throws: FramingError.unexpectedBody) {
                try response(status, ["Content-Length": "7"])
            }
            #expect(throws: FramingError.unexpectedBody) {
                try response(status, ["Transfer-Encoding": "chunked"])
            }
        }
        for status: UInt16 in [0, 99, 1000] {
            #expect(throws: FramingError.invalidStatus) { try response(status, [:]) }
        }
        #expect(throws: FramingError.transferEncodingInHTTP10) {
            try response(200, ["Transfer-Encoding": "chunked"], minor: 0)
        }
    }

    @Test func http2() throws {
        func check(_ fields: HTTPFields) throws -> UInt64? {
            try MessageFraming.http2Request(method: "GET", fields: fields)
        }
        #expect(try check(["te": "trailers", "content-length": "5"]) == 5)
        #expect(throws: FramingError.uppercaseFieldName) { try check(["Accept": "x"]) }
        for name in [
            "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "te",
        ] {
            #expect(throws: FramingError.connectionSpecificField(name)) {
                try check([name: "gzip"])
            }
        }
        #expect(throws: FramingError.invalidFieldName) { try check([":path": "/"]) }
        #expect(throws: FramingError.invalidFieldValue("a")) { try check(["a": " b"]) }
        #expect(throws: FramingError.repeatedHost) { try check(["host": "a", "host": "a"]) }
    }

    @Test func trailers() {
        var trailers: HTTPFields = [
            "X-Checksum": "1", "Content-Length": "5", "Transfer-Encoding": "chunked", "Host": "a",
            "Authorization": "x", "grpc-status": "0", "X-Forwarded-For": "1.1.1.1", "Trailer": "x",
            "Content-Digest": "x", "Server-Timing": "x", "Bad": "a\nb", "Content-Encoding": "gzip",
        ]
        TrailerRules.dropForbidden(from: &trailers)
        #expect(
            trailers == [
                "X-Checksum": "1", "grpc-status": "0", "Content-Digest": "x", "Server-Timing": "x",
            ]
        )
    }
}
