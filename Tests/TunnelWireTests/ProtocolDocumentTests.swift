import Foundation
import Testing

@testable import TunnelWire

/// Protocol.md and the code say the same, as far as a test can read.
@Suite struct ProtocolDocumentTests {
    private let text: String
    private let rows: [[String]]

    init() throws {
        let project = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = project.appending(path: "Sources/TunnelWire/TunnelWire.docc/Protocol.md")
        self.text = try String(contentsOf: file, encoding: .utf8)
        self.rows = self.text.split(separator: "\n").filter { $0.hasPrefix("|") }.map {
            $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    @Test func theTableOfNamesIsTheCodes() {
        var names: [Int: String] = [:]
        for row in self.rows where row.first?.first?.isNumber == true {
            for cell in row {
                let parts = cell.split(separator: " ")
                guard parts.count == 2, let index = Int(parts[0]), parts[1].first?.isLetter == true
                else { continue }
                #expect(names.updateValue(String(parts[1]), forKey: index) == nil)
            }
        }
        #expect(names.keys.sorted() == Array(1...63))
        for (index, name) in names { #expect(FieldNameTable.names[index] == name) }
        #expect(FieldNameTable.names.count == 64)
    }

    @Test func theTableOfFramesIsTheCodes() throws {
        var seen = 0
        for row in self.rows where row.count >= 4 && row[0].count == 4 && row[0].hasPrefix("`") {
            let digits = row[0].trimmingCharacters(in: ["`"])
            let type = FrameType(rawValue: try #require(UInt8(digits, radix: 16)))
            #expect(type.description == row[1])
            let stream = StreamID(rawValue: row[2] == "0" ? 0 : 7)
            let length =
                row[3].contains("8") || row[3].contains("u64") ? 8 : row[3] == "none" ? 0 : 9
            try FrameHeader(type: type, stream: stream, length: length).validate()
            seen += 1
        }
        #expect(seen == 17)
    }

    @Test func theTablesOfCodesAreTheCodes() throws {
        var found: [String: [UInt16: String]] = [:]
        var heading = ""
        for line in self.text.split(separator: "\n") {
            if line.hasPrefix("**") { heading = line.filter { $0 != "*" } }
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard line.hasPrefix("| `0"), cells.count >= 2, cells[0].count == 6,
                let code = UInt16(cells[0].dropFirst().dropLast(), radix: 16)
            else { continue }
            found[heading, default: [:]][code] = cells[1]
        }
        let resets = try #require(found["RESET"])
        #expect(resets.count == 10)
        for (code, name) in resets { #expect(ResetCode(rawValue: code).description == name) }
        #expect(found["CLOSE"]?.count == 4 && found["REFUSED"]?.count == 8)
        #expect(found["CLOSE"]?[CloseCode.overload.rawValue] == "overload")
        #expect(found["REFUSED"]?[RefusalCode.malformed.rawValue] == "malformed")
        #expect(found["REFUSED"]?[RefusalCode.draining.rawValue] == "draining")
        #expect(WireLimits.fields == 1_024 && self.text.contains("1,024 fields"))
    }

    @Test func theLimitsAreTheCodes() {
        for number in ["16,000", "15,988", "65,536", "32)", "8 KiB"] {
            #expect(self.text.contains(number), "\(number)")
        }
        #expect(WireLimits.messageBytes == 16_000)
        #expect(WireLimits.payloadBytes == 15_988)
        #expect(WireLimits.sectionBytes == 65_536)
        #expect(WireLimits.interimHeads == 32)
        #expect(WireLimits.attributeBytes == 8_192)
    }

    @Test func theCodesOnTheWireAreThese() {
        let resets: [ResetCode] = [
            .cancelled, .originUnreachable, .originTimeout, .truncated, .malformedMessage,
            .overLimit, .refused, .streamProtocolError, .noRoute, .internalError,
        ]
        #expect(resets.map(\.rawValue) == Array(1...10))
        #expect(Set(resets.map(\.description)).count == resets.count)
        #expect(resets.filter(\.isUntouched) == [.refused])
        #expect(ResetCode(rawValue: 77).description == "code-77")
        let closes: [CloseCode] = [.shutdown, .protocolError, .revoked, .overload]
        #expect(closes.map(\.rawValue) == Array(1...4))
        let refusals: [RefusalCode] = [
            .unsupportedVersion, .unknownKey, .badSignature, .hostnameRefused, .overloaded,
            .draining, .malformed,
        ]
        #expect(refusals.map(\.rawValue) == Array(1...7))
        let statuses = [
            LinkCloseStatus.protocolError, LinkCloseStatus.loginRefused,
            LinkCloseStatus.replaced, LinkCloseStatus.sessionEnded,
        ]
        #expect(statuses == [4000, 4001, 4002, 4003])
        for status in statuses { #expect(self.text.contains("\(status)")) }
        for name in ["malformed-message", "refused"] { #expect(self.text.contains("`\(name)`")) }
    }
}
