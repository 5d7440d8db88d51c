import HTTPSemantics
import Testing

@testable import CulvertEdge

struct VisitorExchangeMachineTests {
    private static func machine(
        method: String = "GET",
        hasBody: Bool = false,
        wantsUpgrade: Bool = false
    ) -> VisitorExchangeMachine {
        let request = VisitorRequest(
            head: RequestHead(method: method, scheme: "https", authority: "a", path: "/"),
            host: "a",
            id: "1",
            version: .http11,
            accept: "",
            wantsUpgrade: wantsUpgrade,
            expectsContinue: false,
            hasBody: hasBody
        )
        return VisitorExchangeMachine(request, limits: VisitorLimits())
    }

    @Test func lostPostIsNotRepeatedButARefusedOneIs() {
        var machine = Self.machine(method: "POST")
        #expect(machine.routed() == .begin(end: true))
        var lost = machine
        #expect(lost.streamReset(isUntouched: false, isLost: true) == .answer)
        #expect(lost.tunnel == .detached)
        #expect(machine.streamReset(isUntouched: true, isLost: false) == .retry(attempt: 2))
        #expect(machine.tunnel == .routing)
        _ = machine.routed()
        #expect(machine.streamReset(isUntouched: true, isLost: false) == .retry(attempt: 3))
        _ = machine.routed()
        #expect(machine.streamReset(isUntouched: true, isLost: false) == .answer)
    }

    @Test func bodyBeyondWhatIsKeptMakesARequestUnrepeatable() {
        var machine = Self.machine(method: "PUT", hasBody: true)
        #expect(machine.bodyReceived(bytes: 65536) == .keep)
        #expect(!machine.acceptsBody(streamIsWritable: true))
        #expect(machine.routed() == .begin(end: false))
        #expect(machine.acceptsBody(streamIsWritable: true))
        #expect(machine.bodyReceived(bytes: 1) == .forward(andKeep: false))
        #expect(machine.keptBytes == 0)
        #expect(machine.requestEnded() == .forward)
        #expect(machine.streamReset(isUntouched: true, isLost: false) == .answer)
    }

    @Test func responseBegunIsNeverRepeated() {
        var machine = Self.machine()
        _ = machine.routed()
        #expect(machine.headReceived(status: 200, contentLength: 5) == .final(endsRequest: false))
        #expect(machine.dataReceived(bytes: 2) == .write)
        #expect(machine.streamReset(isUntouched: false, isLost: true) == .breakOff)
        #expect(machine.response == .broken)
        #expect(machine.isOver)
    }

    @Test func contentLengthIsHeldTo() {
        var machine = Self.machine()
        _ = machine.routed()
        _ = machine.headReceived(status: 200, contentLength: 5)
        var long = machine
        #expect(long.dataReceived(bytes: 6) == .breakOff)
        #expect(machine.dataReceived(bytes: 4) == .write)
        #expect(machine.responseEnded() == .breakOff)
        #expect(machine.response == .broken)
        var head = Self.machine(method: "HEAD")
        _ = head.routed()
        _ = head.headReceived(status: 200, contentLength: 5)
        #expect(head.responseEnded() == .end)
        #expect(head.isOver)
    }

    @Test func eitherHalfMayEndFirst() {
        var machine = Self.machine(method: "POST", hasBody: true)
        _ = machine.routed()
        _ = machine.headReceived(status: 200, contentLength: nil)
        #expect(machine.responseEnded() == .end)
        #expect(!machine.isOver)
        #expect(machine.bodyReceived(bytes: 9) == .forward(andKeep: false))
        #expect(machine.requestEnded() == .forward)
        #expect(machine.isOver)
    }

    @Test func resetAfterTheAnswerAbandonsTheRestOfTheRequest() {
        var machine = Self.machine(method: "POST", hasBody: true)
        _ = machine.routed()
        _ = machine.headReceived(status: 200, contentLength: nil)
        _ = machine.responseEnded()
        #expect(machine.streamReset(isUntouched: false, isLost: false) == .abandonRequest)
        #expect(machine.bodyReceived(bytes: 9) == .discard)
        #expect(machine.isOver)
    }

    @Test func upgradeKeepsItsDirectionOpen() {
        var machine = Self.machine(wantsUpgrade: true)
        #expect(machine.routed() == .begin(end: false))
        var declined = machine
        #expect(declined.headReceived(status: 403, contentLength: 0) == .final(endsRequest: true))
        #expect(machine.headReceived(status: 101, contentLength: nil) == .opaque)
        #expect(machine.bodyReceived(bytes: 3) == .forward(andKeep: false))
        #expect(machine.requestEnded() == .forward)
        #expect(machine.dataReceived(bytes: 3) == .write)
        #expect(machine.responseEnded() == .end)
        #expect(machine.isOver)
        var unasked = Self.machine()
        _ = unasked.routed()
        #expect(unasked.headReceived(status: 101, contentLength: nil) == .unasked)
    }

    @Test func lateInputIsDropped() {
        var machine = Self.machine(hasBody: true)
        #expect(machine.visitorLeft() == .cancelRoute)
        #expect(machine.routed() == .refuse)
        #expect(machine.headReceived(status: 200, contentLength: nil) == .ignore)
        #expect(machine.dataReceived(bytes: 1) == .ignore)
        #expect(machine.responseEnded() == .ignore)
        #expect(machine.bodyReceived(bytes: 1) == .discard)
        #expect(machine.streamReset(isUntouched: true, isLost: true) == .ignore)
    }
}
