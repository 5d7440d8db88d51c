import HTTPSemantics
import NIOCore
import Testing

@testable import TunnelWire

@Suite struct HeadCodecTests {
    private let allocator = ByteBufferAllocator()

    private func decode(_ hex: String) throws(WireError) -> MessageHead {
        try HeadCodec.decode(ByteBuffer(hex: hex))
    }

    @Test func aRequestIsWrittenAsSpecified() throws {
        let head = RequestHead(
            method: "POST",
            scheme: "https",
            authority: "a.b",
            path: "/p",
            fields: ["Host": "x", "host": "y", "X-Q": ""]
        )
        let section = try HeadCodec.encode(head, allocator: self.allocator)
        let expected = "01 03 02 0003 612E62 0002 2F70 16 0001 78 56 0001 79 8003 582D51 0000"
        #expect(section.bytes == bytes(expected))
        #expect(try HeadCodec.decode(section) == .request(head))
    }

    @Test func aResponseIsWrittenAsSpecified() throws {
        let head = ResponseHead(status: 404, reason: "Not here", fields: ["etag": "\"1\""])
        let section = try HeadCodec.encode(head, allocator: self.allocator)
        #expect(section.bytes == bytes("02 0194 08 4E6F742068657265 53 0003 223122"))
        #expect(try HeadCodec.decode(section) == .response(head))
    }

    @Test func trailersAreAFieldBlock() throws {
        let section = try HeadCodec.encode(trailers: ["Age": "1"], allocator: self.allocator)
        #expect(section.bytes == bytes("06 0001 31"))
        #expect(try HeadCodec.decode(trailers: section) == ["Age": "1"])
        #expect(try HeadCodec.decode(trailers: ByteBuffer()) == [:])
    }

    @Test(
        arguments: zip(
            ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "M-SEARCH"],
            ["01", "02", "03", "04", "05", "06", "07", "0003 676574", "0008 4D2D534541524348"]
        )
    )
    func methods(_ method: String, _ hex: String) throws {
        let head = RequestHead(method: method, scheme: "http", authority: "", path: "*")
        let section = try HeadCodec.encode(head, allocator: self.allocator)
        #expect(section.bytes == bytes("01 \(hex) 01 0000 0001 2A"))
        #expect(try HeadCodec.decode(section) == .request(head))
    }

    @Test func everyNameOfTheTableTravelsAsOneByteInBothCases() throws {
        for (index, name) in FieldNameTable.names.enumerated().dropFirst() {
            for (byte, name) in [(index, name), (index + 64, name.lowercased())] {
                let section = try HeadCodec.encode(trailers: [name: ""], allocator: self.allocator)
                #expect(section.bytes == [UInt8(byte), 0, 0])
                let fields = try HeadCodec.decode(trailers: section)
                #expect(fields.storage.map(\.name) == [name])
            }
            let odd = name.uppercased() == name ? "x" + name : name.uppercased()
            guard odd != name, odd != name.lowercased() else { continue }
            let section = try HeadCodec.encode(trailers: [odd: "v"], allocator: self.allocator)
            #expect(section.bytes.first == 0x80, "\(odd) keeps its own case")
            #expect(try HeadCodec.decode(trailers: section).storage.map(\.name) == [odd])
        }
    }

    @Test func valuesKeepTheirBytes() throws {
        let value = "\u{1}\t ü€\u{7F}"
        let fields: HTTPFields = ["A": value, "B": ""]
        let section = try HeadCodec.encode(trailers: fields, allocator: self.allocator)
        #expect(try HeadCodec.decode(trailers: section) == fields)
    }

    @Test(arguments: [
        "FF", "E9", "C3A9", "EDA080", "C080", "F48FBEA9", "F4908080", "61E962F09F9880",
    ])
    func octetsThatAreNoUTF8CrossUnchanged(_ value: String) throws {
        let section =
            [0x02, 0x00, 0xC8, UInt8(bytes(value).count)] + bytes(value)
            + [0x06, 0x00, UInt8(bytes(value).count)] + bytes(value)
        let head = try HeadCodec.decode(ByteBuffer(bytes: section))
        guard case .response(let response) = head else { throw WireError(.malformed, "kind") }
        let again = try HeadCodec.encode(response, allocator: self.allocator)
        #expect(again.bytes == section)
    }

    @Test(arguments: [
        ("", "nothing"), ("00", "kind 0"), ("03", "kind 3"), ("01", "no method"),
        ("01 08 01 0000 0001 2F", "method 8"), ("01 00 00 01 0000 0001 2F", "an empty method"),
        ("01 00 02 47 20 01 0000 0001 2F", "a method with a space"),
        ("01 00 02 C3 BC 01 0000 0001 2F", "a method that is no token"),
        ("01 00 05 47 45", "a method that goes on beyond the end"),
        ("01 01 00 0000 0001 2F", "scheme 0"), ("01 01 03 0000 0001 2F", "scheme 3"),
        ("01 01 01 0001 0A 0001 2F", "LF in the authority"),
        ("01 01 01 0001 FF 0001 2F", "an authority that is not UTF-8"),
        ("01 01 01 0000 0000", "an empty path"), ("01 01 01 0000 0002 2F20", "a space in the path"),
        ("01 01 01 0000 0002 2F7F", "DEL in the path"), ("01 01 01 0000 0002 2F", "a short path"),
        ("01 01 01 0000 0002 2FC3", "a path that is not UTF-8"),
        ("02", "no status"), ("02 0063 00", "status 99"), ("02 03E8 00", "status 1000"),
        ("02 00C8", "no reason"), ("02 00C8 01 0D", "CR in the reason"),
        ("02 00C8 02 41", "a short reason"),
        ("02 00C8 00 00 0000", "name 0"), ("02 00C8 00 40 0000", "name 64"),
        ("02 00C8 00 80", "half a name's length"), ("02 00C8 00 8000 0000", "an empty name"),
        ("02 00C8 00 8002 41", "a short name"), ("02 00C8 00 8001 3A 0000", "a colon in a name"),
        ("02 00C8 00 8001 20 0000", "a space in a name"),
        ("02 00C8 00 8002 C3BC 0000", "a name beyond ASCII"),
        ("02 00C8 00 06", "no value"), ("02 00C8 00 06 00", "half a value's length"),
        ("02 00C8 00 06 0002 41", "a short value"), ("02 00C8 00 06 0001 00", "NUL in a value"),
        ("02 00C8 00 06 0001 0A", "LF in a value"), ("02 00C8 00 06 0001 0D", "CR in a value"),
    ])
    func isMalformed(_ hex: String, _ what: String) {
        let error = #expect(throws: WireError.self, "\(what)") { try self.decode(hex) }
        #expect(error?.kind == .malformed)
        #expect(error?.reason.isEmpty == false)
    }

    @Test func allStatusesBetweenTheLimitsAreRead() throws {
        for status in [100, 103, 199, 200, 599, 999] as [UInt16] {
            let head = ResponseHead(status: status)
            let section = try HeadCodec.encode(head, allocator: self.allocator)
            #expect(try HeadCodec.decode(section) == .response(head))
        }
    }

    @Test func aReasonBeyondItsLengthIsLeftOut() throws {
        var head = ResponseHead(status: 200, reason: String(repeating: "r", count: 255))
        let longest = try HeadCodec.encode(head, allocator: self.allocator)
        #expect(try HeadCodec.decode(longest) == .response(head))
        head.reason += "r"
        let section = try HeadCodec.encode(head, allocator: self.allocator)
        #expect(try HeadCodec.decode(section) == .response(ResponseHead(status: 200)))
    }

    @Test func theNumberOfFieldsEndsAt1024() throws {
        var fields = HTTPFields()
        for _ in 0..<1_024 { fields.append("A", "") }
        let section = try HeadCodec.encode(trailers: fields, allocator: self.allocator)
        #expect(try HeadCodec.decode(trailers: section).count == 1_024)
        var raw = section
        raw.writeBytes(bytes("06 0000"))
        #expect(throws: WireError.self) { try HeadCodec.decode(trailers: raw) }
        fields.append("A", "")
        #expect(throws: WireError.self) {
            try HeadCodec.encode(trailers: fields, allocator: self.allocator)
        }
    }

    @Test func everyLengthEndsWhereItIsSaidTo() throws {
        func encode(_ fields: HTTPFields) throws -> ByteBuffer {
            try HeadCodec.encode(trailers: fields, allocator: self.allocator)
        }
        // A section of 65,536 bytes: index, length, value twice.
        let half = String(repeating: "v", count: 32_765)
        #expect(try encode(["Age": half, "age": half]).readableBytes == 65_536)
        #expect(throws: WireError.self) { try encode(["Age": half, "age": half + "v"]) }
        #expect(throws: WireError.self) {
            try encode(["Age": String(repeating: "v", count: 65_536)])
        }
        let name = String(repeating: "n", count: 32_767)
        #expect(try encode([name: ""]).bytes.prefix(2) == [0xFF, 0xFF])
        #expect(try HeadCodec.decode(trailers: encode([name: ""])) == [name: ""])
        #expect(throws: WireError.self) { try encode([name + "n": ""]) }
        #expect(throws: WireError.self) { try encode(["": ""]) }
        let method = String(repeating: "M", count: 256)
        let long = RequestHead(method: method, scheme: "http", authority: "a", path: "/")
        #expect(throws: WireError.self) { try HeadCodec.encode(long, allocator: self.allocator) }
        for scheme in ["", "ftp", "HTTP"] {
            let head = RequestHead(method: "GET", scheme: scheme, authority: "a", path: "/")
            #expect(throws: WireError.self) {
                try HeadCodec.encode(head, allocator: self.allocator)
            }
        }
    }
}
