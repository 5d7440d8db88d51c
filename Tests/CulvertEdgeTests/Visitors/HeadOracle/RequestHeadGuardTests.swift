import Testing

@testable import HTTPSemantics

/// Feeds a text whole, in two pieces at every split point, and byte by byte: the verdict and the
/// number of bytes before the offence have to be the same each time.
func verdict(
    _ text: String,
    limits: RequestHeadGuard.Limits = .init(),
    sourceLocation: SourceLocation = #_sourceLocation
) -> (reason: RequestHeadGuard.Reason?, bytesBefore: Int, guard: RequestHeadGuard) {
    let bytes = Array(text.utf8)
    func run(_ pieces: [ArraySlice<UInt8>]) -> (RequestHeadGuard.Reason?, Int, RequestHeadGuard) {
        var scanner = RequestHeadGuard(limits: limits)
        var passed = 0
        for piece in pieces {
            switch scanner.scan(piece) {
            case .ok: passed += piece.count
            case .refused(let refusal):
                return (refusal.reason, passed + refusal.bytesBefore, scanner)
            }
        }
        return (nil, passed, scanner)
    }
    let whole = run([bytes[...]])
    // Every split point, but of the one text that is long for being over a limit.
    for split in stride(from: 0, to: bytes.count, by: bytes.count > 4096 ? 997 : 1) {
        let parts = run([bytes[..<split], bytes[split...]])
        #expect(
            parts.0 == whole.0 && parts.1 == whole.1,
            "split at \(split)",
            sourceLocation: sourceLocation
        )
    }
    let single = run(bytes.indices.map { bytes[$0...$0] })
    #expect(
        single.0 == whole.0 && single.1 == whole.1,
        "byte by byte",
        sourceLocation: sourceLocation
    )
    #expect(single.2.awaitsSwitch == whole.2.awaitsSwitch, sourceLocation: sourceLocation)
    #expect(single.2.isBetweenRequests == whole.2.isBetweenRequests, sourceLocation: sourceLocation)
    return (whole.0, whole.1, whole.2)
}

@Suite("Request head guard")
struct RequestHeadGuardTests {
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

    static let accepted: [String] = [
        get,
        get + get,
        "\r\n" + get + "\r\n" + get,
        "GET http://a/b?c HTTP/1.1\r\nHost:a\r\nX:\r\nY: \t v \t\r\nZ: \u{E9}\r\n\r\n",
        "M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n\0\r\n\r\n" + get,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  05  \r\n\r\nhello" + get,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + get,
        "POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING:CHUNKED\r\n\r\n5\r\nhe\n\0o\r\n0\r\n\r\n"
            + get,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "00000000000000A;x=\"y z\"\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\n\r\n" + get,
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n" + get,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade:\r\n\r\n" + get,
    ]

    @Test(arguments: accepted)
    func accepts(_ text: String) {
        let result = verdict(text)
        #expect(result.reason == nil)
        #expect(result.guard.isBetweenRequests)
    }

    static let lines: [(String, RequestHeadGuard.Reason, Int)] = [
        ("\n" + get, .bareLineFeed, 0),
        ("\r" + get, .bareCarriageReturn, 1),
        ("\r\n\r\n" + get, .surplusEmptyLine, 2),
        (" GET / HTTP/1.1\r\n", .invalidMethod, 0),
        ("GET  / HTTP/1.1\r\n", .invalidRequestLine, 4),
        ("GET\t/ HTTP/1.1\r\n", .invalidMethod, 3),
        ("GET /  HTTP/1.1\r\n", .invalidRequestLine, 6),
        ("GET / HTTP/1.1 \r\n", .invalidRequestLine, 14),
        ("GET / HTTP/1.1\n", .bareLineFeed, 14),
        ("GET / HTTP/1.1\rX", .bareCarriageReturn, 15),
        ("GET /\r\n", .missingVersion, 5),
        ("GET /\n", .missingVersion, 5),
        ("GET\r\n", .invalidMethod, 3),
        ("GET / http/1.1\r\n", .invalidRequestLine, 6),
        ("GET / HTTP/2.0\r\n", .unsupportedVersion, 11),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion, 11),
        ("GET / HTTP/1.2\r\n", .unsupportedVersion, 13),
        ("GET / HTTP/1.11\r\n", .invalidRequestLine, 14),
        ("GET / HTTP/1.x\r\n", .invalidRequestLine, 13),
        ("GET / RTSP/1.0\r\n", .invalidRequestLine, 6),
        ("GET /a#b HTTP/1.1\r\n", .fragmentInTarget, 6),
        ("GET /ü HTTP/1.1\r\n", .invalidTarget, 5),
        ("GET /\0 HTTP/1.1\r\n", .invalidTarget, 5),
        ("GET /\t HTTP/1.1\r\n", .invalidTarget, 5),
        ("G\0T / HTTP/1.1\r\n", .invalidMethod, 1),
        ("\u{16}\u{3}\u{1}", .invalidMethod, 0),
        (String(repeating: "M", count: 33) + " / HTTP/1.1\r\n", .methodTooLong, 32),
    ]

    @Test(arguments: lines)
    func refusesRequestLines(_ text: String, _ reason: RequestHeadGuard.Reason, _ offset: Int) {
        let result = verdict(text)
        #expect(result.reason == reason)
        #expect(result.bytesBefore == offset)
    }

    /// Field lines behind a request line and a Host, the head ended, a second request after it.
    static let fields: [(String, RequestHeadGuard.Reason)] = [
        ("Transfer-Encoding : chunked", .whitespaceBeforeColon),
        ("Transfer-Encoding\t: chunked", .whitespaceBeforeColon),
        ("Transfer-Encoding:\tchunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\t", .unsupportedTransferEncoding),
        ("Transfer-Encoding:\u{B}chunked", .controlByte),
        ("Transfer-Encoding: xchunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked, identity", .unsupportedTransferEncoding),
        ("Transfer-Encoding: identity, chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: gzip", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked, chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: \"chunked\"", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked;q=1", .unsupportedTransferEncoding),
        ("Transfer-Encoding: ,chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding:", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", .repeatedTransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-encoding: chunked", .repeatedTransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", .transferEncodingAndContentLength),
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", .transferEncodingAndContentLength),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked", .transferEncodingAndContentLength),
        ("Transfer-Encoding:\r\n chunked", .unsupportedTransferEncoding),
        ("Transfer-Encoding: chunked\r\n , x", .obsoleteFolding),
        ("X: a\r\n b", .obsoleteFolding),
        ("X: a\r\n\tb", .obsoleteFolding),
        ("X: a\r\n \r\nY: b", .obsoleteFolding),
        ("Content-Length: +5", .invalidContentLength),
        ("Content-Length: -5", .invalidContentLength),
        ("Content-Length: 5,5", .invalidContentLength),
        ("Content-Length: 5 5", .invalidContentLength),
        ("Content-Length: 0x5", .invalidContentLength),
        ("Content-Length: 5.", .invalidContentLength),
        ("Content-Length:", .invalidContentLength),
        ("Content-Length: \t5", .invalidContentLength),
        ("Content-Length: 1000000000000000000", .invalidContentLength),
        ("Content-Length: 18446744073709551616", .invalidContentLength),
        ("Content-Length: 5\r\nContent-Length: 5", .repeatedContentLength),
        ("Content-Length: 5\r\ncontent-length: 6", .repeatedContentLength),
        ("Host: b", .repeatedHost),
        ("host:", .repeatedHost),
        (": x", .emptyFieldName),
        ("NoColon", .invalidFieldName),
        ("Na me: x", .whitespaceBeforeColon),
        ("Nam\0e: x", .invalidFieldName),
        ("Näme: x", .invalidFieldName),
        ("X: a\nY: b", .bareLineFeed),
        ("X\n: b", .bareLineFeed),
        ("X: a\rY: b", .bareCarriageReturn),
        ("X: a\r\r", .bareCarriageReturn),
        ("X: a\0b", .controlByte),
        ("X: a\u{7F}b", .controlByte),
        ("X: a\u{8}b", .controlByte),
    ]

    @Test(arguments: fields)
    func refusesFields(_ lines: String, _ reason: RequestHeadGuard.Reason) {
        let before = "POST / HTTP/1.1\r\nHost: a\r\n"
        let head = before + lines + "\r\n\r\n"
        let result = verdict(head + "0\r\n\r\n" + Self.get)
        #expect(result.reason == reason)
        #expect(result.bytesBefore >= before.utf8.count)
        #expect(result.bytesBefore < head.utf8.count, "the head must never be complete")
    }

    @Test func refusesHeads() {
        #expect(verdict("GET / HTTP/1.1\r\n\r\n").reason == .missingHost)
        #expect(verdict("GET / HTTP/1.1\r\n Host: a\r\n\r\n").reason == .leadingWhitespace)
        #expect(verdict("GET / HTTP/1.1\r\n\n").reason == .bareLineFeed)
        #expect(
            verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").reason
                == .transferEncodingInHTTP10
        )
        #expect(
            verdict("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n").reason
                == .contentInConnect
        )
        #expect(
            verdict("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").reason
                == .contentInConnect
        )
    }

    static let chunks: [(String, RequestHeadGuard.Reason)] = [
        ("\r\n", .invalidChunkSize),
        (" 5\r\nhello\r\n", .invalidChunkSize),
        ("5 \r\nhello\r\n", .invalidChunkSize),
        ("5 ;x\r\nhello\r\n", .invalidChunkSize),
        ("+5\r\nhello\r\n", .invalidChunkSize),
        ("-5\r\nhello\r\n", .invalidChunkSize),
        ("0x5\r\nhello\r\n", .invalidChunkSize),
        ("5h\r\nhello\r\n", .invalidChunkSize),
        ("\t5\r\nhello\r\n", .invalidChunkSize),
        (";x\r\n", .invalidChunkSize),
        ("1000000000000000\r\n", .invalidChunkSize),
        ("10000000000000005\r\nhello\r\n", .invalidChunkSize),
        ("0000000000000005\r\nhello\r\n", .invalidChunkSize),
        ("5\nhello\r\n", .bareLineFeed),
        ("5\rhello\r\n", .bareCarriageReturn),
        ("5\r\nhello\n", .missingChunkEnd),
        ("5\r\nhello\rX", .missingChunkEnd),
        ("5\r\nhello!\r\n", .missingChunkEnd),
        ("5\r\nhello0\r\n\r\n", .missingChunkEnd),
        ("5;a\nb\r\nhello\r\n", .bareLineFeed),
        ("5;a\rb\r\nhello\r\n", .bareCarriageReturn),
        ("5;a\tb\r\nhello\r\n", .invalidChunkExtension),
        ("5;a\0b\r\nhello\r\n", .invalidChunkExtension),
        ("5;ü\r\nhello\r\n", .invalidChunkExtension),
        ("5;" + String(repeating: "a", count: 257) + "\r\nhello\r\n", .chunkExtensionTooLong),
        (
            String(repeating: "1;" + String(repeating: "a", count: 255) + "\r\nx\r\n", count: 65),
            .chunkExtensionTooLong
        ),
        ("0\n\r\n", .bareLineFeed),
        ("0\r\n\n", .bareLineFeed),
        ("0\r\n X: a\r\n\r\n", .leadingWhitespace),
        ("0\r\nX: a\r\n b\r\n\r\n", .obsoleteFolding),
        ("0\r\nX : a\r\n\r\n", .whitespaceBeforeColon),
        ("0\r\nX: a\nY: b\r\n\r\n", .bareLineFeed),
        ("0\r\nContent-Length: 5\r\n\r\n", .forbiddenTrailer),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", .forbiddenTrailer),
        ("0\r\nhost: a\r\n\r\n", .forbiddenTrailer),
        ("0\r\nConnection: close\r\n\r\n", .forbiddenTrailer),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", .whitespaceBeforeColon),
    ]

    @Test(arguments: chunks)
    func refusesChunks(_ body: String, _ reason: RequestHeadGuard.Reason) {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(verdict(head + body).reason == reason)
        #expect(verdict(Self.get + head + "1\r\nx\r\n" + body).reason == reason)
    }

    @Test func limitsAreExact() {
        let limits = RequestHeadGuard.Limits(headBytes: 60, targetBytes: 10, fields: 3)
        func head(_ size: Int) -> String {
            let empty = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
            return empty.replacingLast(
                "X: ",
                "X: " + String(repeating: "v", count: size - empty.utf8.count)
            )
        }
        #expect(verdict(head(60) + head(60) + "\r\n" + head(58), limits: limits).reason == nil)
        let large = verdict(head(60) + head(61), limits: limits)
        #expect(large.reason == .headTooLarge && large.bytesBefore == 120)
        #expect(RequestHeadGuard.Reason.headTooLarge.status == 431)

        let target = verdict("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", limits: limits)
        #expect(target.reason == nil)
        let long = verdict("GET /1234567890 HTTP/1.1\r\n", limits: limits)
        #expect(long.reason == .targetTooLong && long.bytesBefore == 14)
        #expect(RequestHeadGuard.Reason.targetTooLong.status == 414)

        let three = "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\n"
        #expect(verdict(three + "\r\n", limits: limits).reason == nil)
        #expect(verdict(three + "C:\r\n\r\n", limits: limits).reason == .tooManyFields)
    }

    @Test func trailersAreCountedAnew() {
        let limits = RequestHeadGuard.Limits(headBytes: 60, targetBytes: 10, fields: 2)
        let start = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(start.utf8.count <= 60)
        let value = String(repeating: "v", count: 53)
        #expect(verdict(start + "0\r\nX: \(value)\r\n\r\n", limits: limits).reason == nil)
        #expect(
            verdict(start + "0\r\nX: \(value)v\r\n\r\n", limits: limits).reason == .headTooLarge
        )
        #expect(verdict(start + "0\r\nA:\r\nB:\r\n\r\n", limits: limits).reason == nil)
        #expect(
            verdict(start + "0\r\nA:\r\nB:\r\nC:\r\n\r\n", limits: limits).reason == .tooManyFields
        )
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nProxy-Connection: upgrade\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nhi",
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func nothingFollowsAnUnansweredUpgrade(_ text: String) {
        let complete = verdict(text)
        #expect(complete.reason == nil && complete.guard.awaitsSwitch)
        let early = verdict(text + Self.get)
        #expect(early.reason == .dataBeforeSwitch && early.bytesBefore == text.utf8.count)
        var aside = complete.guard
        aside.stepAside()
        #expect(aside.scan(Array("\0\n anything".utf8)) == .ok)
        var resumed = complete.guard
        resumed.resume()
        #expect(resumed.scan(Array(Self.get.utf8)) == .ok)
        #expect(resumed.scan(Array(" ".utf8)) != .ok)
    }

    @Test func nobodyStepsAsideInsideARequest() {
        var scanner = RequestHeadGuard()
        #expect(scanner.scan(Array("GET / HT".utf8)) == .ok)
        scanner.stepAside()
        scanner.resume()
        #expect(!scanner.isBetweenRequests)
        #expect(scanner.scan(Array("\n".utf8)) != .ok)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ])
    func nothingFollowsTheLastRequest(_ text: String) {
        let late = verdict(text + Self.get)
        #expect(late.reason == .dataAfterClose && late.bytesBefore == text.utf8.count)
    }

    @Test func aRefusalIsForEver() {
        var scanner = RequestHeadGuard()
        let refusal = RequestHeadGuard.Refusal(reason: .bareLineFeed, bytesBefore: 0)
        #expect(scanner.scan(Array("\n".utf8)) == .refused(refusal))
        #expect(scanner.scan(Array(Self.get.utf8)) == .refused(refusal))
        scanner.stepAside()
        #expect(scanner.scan(Array(Self.get.utf8)) == .refused(refusal))
        #expect(!scanner.isBetweenRequests)
    }

    @Test func bodiesAreFollowedToTheirLastByte() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n"
        var scanner = RequestHeadGuard()
        #expect(scanner.scan(Array(head.utf8)) == .ok)
        let block = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<100 { #expect(scanner.scan(block) == .ok) }
        #expect(scanner.message.remaining == 999_999_999_999_999_999 - 100 << 16)
    }

    @Test(.timeLimit(.minutes(1))) func carriedBytesStayWithinTheHeadLimit() {
        var scanner = RequestHeadGuard(limits: .init(headBytes: 100))
        var fed = 0
        _ = scanner.scan(Array("GET / HTTP/1.1\r\nConnection: ".utf8))
        while case .ok = scanner.scan([0x61]) {
            fed += 1
            #expect(scanner.carry.count <= 100)
        }
        #expect(fed == 100 - 28)
    }

    /// Whatever is fed, in whatever pieces: no trap, one verdict, silence afterwards.
    @Test func randomBytes() {
        let words = [
            "GET ", "/ ", "HTTP/1.1", "\r\n", "\r", "\n", "Host: a\r\n", "Content-Length: ", "3",
            "\r\n\r\n",
            "Transfer-Encoding: chunked\r\n", "0", "5", ";x", " ", "\t", "\0", "a", ":",
            "Connection: close",
        ]
        for seed in UInt64(0)..<400 {
            var random = SeededRandom(state: seed)
            var text = Bool.random(using: &random) ? "POST / HTTP/1.1\r\nHost: a\r\n" : ""
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                text += words.randomElement(using: &random) ?? ""
            }
            let result = verdict(text, limits: .init(headBytes: 80, targetBytes: 20, fields: 4))
            #expect(result.bytesBefore <= text.utf8.count, "seed \(seed)")
        }
    }
}

extension String {
    /// Replaces the last occurrence of a text that is there.
    fileprivate func replacingLast(_ old: String, _ new: String) -> String {
        var parts = self.components(old)
        guard let last = parts.popLast(), let before = parts.popLast() else { return self }
        return (parts + [before + new + last]).joined(separator: old)
    }

    private func components(_ separator: String) -> [String] {
        self.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
