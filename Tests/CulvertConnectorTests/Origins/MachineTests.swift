import HTTPSemantics
import NIOCore
import Testing
import TunnelWire

@testable import CulvertConnector

@Suite("The exchange's decisions")
struct MachineTests {
    private func machine(
        _ method: String,
        _ fields: HTTPFields = HTTPFields(),
        collects: Bool = false
    ) -> OriginExchangeMachine {
        var machine = OriginExchangeMachine(collects: collects)
        let head = RequestHead(
            method: method,
            scheme: "https",
            authority: "a",
            path: "/",
            fields: fields
        )
        #expect(machine.receivedHead(RequestTraits(head)) == .wait)
        return machine
    }

    @Test func framingBeforeAnEnd() {
        var machine = self.machine("POST")
        #expect(machine.settle(before: .end) == .acquire)
        let value1 = machine.framing
        #expect(value1 == .none)
        #expect(machine.settle(before: .batchEnd) == .nothing)
    }

    @Test func framingAtTheEndOfABatch() {
        var post = self.machine("POST")
        #expect(post.settle(before: .batchEnd) == .acquire)
        let value2 = post.framing
        #expect(value2 == .chunked)
        var get = self.machine("GET")
        #expect(get.settle(before: .batchEnd) == .nothing)
        #expect(get.settle(before: .data) == .acquire)
        let value3 = get.framing
        #expect(value3 == .chunked)
        var expecting = self.machine("GET", ["Expect": "100-continue"])
        #expect(expecting.settle(before: .batchEnd) == .acquire)
        var upgrade = self.machine("GET", ["Upgrade": "websocket"])
        #expect(upgrade.settle(before: .batchEnd) == .acquire)
        let value4 = upgrade.framing
        #expect(value4 == .none)
    }

    @Test func upgradeWithABodyIsNone() {
        let machine = self.machine("POST", ["Upgrade": "x", "Content-Length": "3"])
        let value5 = machine.traits.asksUpgrade
        #expect(!value5)
    }

    @Test func collectedBody() {
        var machine = self.machine("POST", collects: true)
        #expect(machine.settle(before: .data) == .nothing)
        #expect(machine.receivedData(3) == .collect)
        #expect(machine.receivedEnd() == .acquire)
        let value6 = machine.framing
        #expect(value6 == .addedLength(3))
        machine.attached(isReused: false, holdsBody: true)
        let head = machine.receivedAnswerHead(status: 200, isInterim: false)
        #expect(head == .forward)
        #expect(machine.receivedAnswerEnd() == .release)
        let value7 = machine.isOver
        #expect(value7)
    }

    @Test func repeatedOnceAndOnlyBeforeAnAnswer() {
        var machine = self.machine("GET")
        #expect(machine.settle(before: .end) == .acquire)
        #expect(machine.receivedEnd() == .nothing)
        machine.attached(isReused: true, holdsBody: false)
        #expect(machine.lost(.noAnswer) == .repeatRequest)
        machine.attached(isReused: true, holdsBody: false)
        #expect(machine.lost(.noAnswer) == .fail(.truncated))

        var begun = self.machine("GET")
        #expect(begun.settle(before: .end) == .acquire)
        #expect(begun.receivedEnd() == .nothing)
        begun.attached(isReused: true, holdsBody: false)
        #expect(begun.lost(.partialHead) == .fail(.truncated))
    }

    @Test func aBodyIsKeptWhileItsRequestMayBeRepeated() {
        for (method, isReused, keeps) in [
            ("PUT", true, true), ("PUT", false, false), ("POST", true, false),
        ] {
            var machine = self.machine(method)
            #expect(machine.settle(before: .data) == .acquire)
            machine.attached(isReused: isReused, holdsBody: false)
            #expect(machine.receivedData(1) == .write)
            let value = machine.keepsBody
            #expect(value == keeps, "\(method)")
            #expect(machine.lost(.noAnswer) == (keeps ? .repeatRequest : .fail(.truncated)))
        }

        var large = self.machine("PUT")
        #expect(large.settle(before: .data) == .acquire)
        large.attached(isReused: true, holdsBody: false)
        #expect(large.receivedData(OriginLimits.repeatableBodyBytes) == .write)
        let before = large.keepsBody
        #expect(before)
        #expect(large.receivedData(1) == .write)
        let after = large.keepsBody
        #expect(!after)
        #expect(large.lost(.noAnswer) == .fail(.truncated))

        var answered = self.machine("PUT")
        #expect(answered.settle(before: .data) == .acquire)
        answered.attached(isReused: true, holdsBody: false)
        #expect(answered.receivedData(1) == .write)
        let head = answered.receivedAnswerHead(status: 200, isInterim: false)
        #expect(head == .forward)
        let value = answered.keepsBody
        #expect(!value)
    }

    @Test func whatWasNotProcessedIsRepeatedWhateverItsMethod() {
        var machine = self.machine("POST")
        #expect(machine.settle(before: .batchEnd) == .acquire)
        machine.attached(isReused: false, holdsBody: false)
        #expect(machine.lost(.unprocessed) == .repeatRequest)
        // What comes meanwhile waits for the next connection.
        #expect(machine.receivedData(1) == .hold)
        machine.attached(isReused: false, holdsBody: true)
        // With a body written, it is for the edge, which may have kept that.
        #expect(machine.lost(.unprocessed) == .fail(.refused))

        var again = self.machine("POST")
        #expect(again.settle(before: .batchEnd) == .acquire)
        again.attached(isReused: false, holdsBody: false)
        #expect(again.lost(.unprocessed) == .repeatRequest)
        again.attached(isReused: false, holdsBody: false)
        #expect(again.lost(.unprocessed) == .fail(.refused))
    }

    @Test func aResetIsNotRepeated() {
        var machine = self.machine("GET")
        #expect(machine.settle(before: .end) == .acquire)
        #expect(machine.receivedEnd() == .nothing)
        machine.attached(isReused: true, holdsBody: false)
        #expect(machine.lost(.reset(.overLimit)) == .fail(.overLimit))

        var running = self.machine("GET")
        #expect(running.settle(before: .end) == .acquire)
        #expect(running.receivedEnd() == .nothing)
        running.attached(isReused: true, holdsBody: false)
        let head = running.receivedAnswerHead(status: 200, isInterim: false)
        #expect(head == .forward)
        #expect(running.lost(.truncated) == .fail(.truncated))
    }

    @Test func lossAfterTheAnswerDiscards() {
        var machine = self.machine("POST")
        #expect(machine.settle(before: .data) == .acquire)
        #expect(machine.receivedData(1) == .hold)
        machine.attached(isReused: false, holdsBody: true)
        #expect(machine.receivedData(1) == .write)
        let head = machine.receivedAnswerHead(status: 200, isInterim: false)
        #expect(head == .forward)
        #expect(machine.receivedAnswerEnd() == .keepUploading)
        #expect(machine.lost(.nothing) == .discardUpload)
        #expect(machine.receivedData(1) == .discard)
        #expect(machine.receivedEnd() == .nothing)
        let value8 = machine.isOver
        #expect(value8)
    }
}

@Suite("The answer parser at every split")
struct ParserSplitTests {
    /// What the parser makes of the pieces, with body pieces joined.
    static func events(_ pieces: [ArraySlice<UInt8>], method: String) -> [String] {
        var parser = ResponseParser()
        parser.begin(isHeadRequest: method == "HEAD")
        var log: [String] = []
        var body = ""
        for piece in pieces {
            parser.append(ByteBuffer(bytes: piece))
            reading: while true {
                switch parser.next() {
                case .needsMore: break reading
                case .interim(let head): log.append("interim \(head)")
                case .head(let head): log.append("head \(head)")
                case .body(let piece): body += String(buffer: piece)
                case .end(let trailers): log.append("end \(String(describing: trailers))")
                case .switched(let head): log.append("switched \(head)")
                case .malformed(let fault):
                    // Whole, more of a body may be handed over before the fault.
                    return log + ["fault \(fault)"]
                }
            }
        }
        log.append("body \(body), \(parser.hasSurplus), \(parser.finish(clean: true))")
        return log
    }

    @Test(arguments: Answer.good + Answer.bad + Answer.malformed)
    func sameAtEverySplit(_ answer: Answer) {
        let bytes = Array(answer.bytes.utf8)
        let whole = Self.events([bytes[...]], method: answer.method)
        for split in bytes.indices {
            let pieces = [bytes[..<split], bytes[split...]]
            #expect(Self.events(pieces, method: answer.method) == whole, "at \(split)")
        }
    }

    @Test func randomBytesNeverTrap() {
        var generator = SystemRandomNumberGenerator()
        let starts = [
            "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]
        let alphabet = Array("\r\n\r\n:;,0123456789abcdef xHTP/.\t\u{0}".utf8)
        for _ in 0..<3000 {
            var bytes = Array((starts.randomElement(using: &generator) ?? "").utf8)
            for _ in 0..<Int.random(in: 0..<60, using: &generator) {
                bytes.append(alphabet.randomElement(using: &generator) ?? 0)
            }
            let split = Int.random(in: 0...bytes.count, using: &generator)
            let one = Self.events([bytes[...]], method: "GET")
            let two = Self.events([bytes[..<split], bytes[split...]], method: "GET")
            #expect(one == two, "\(bytes)")
        }
    }
}
