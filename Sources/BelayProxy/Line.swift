/// Things that wait for their turn, first come first served, in memory that is kept.
struct Line<Element> {
    private var elements: [Element] = []
    private var head = 0

    init() { self.elements.reserveCapacity(1024) }

    var isEmpty: Bool { self.head == self.elements.count }
    var count: Int { self.elements.count &- self.head }

    /// The one whose turn is next.
    var first: Element? { self.isEmpty ? nil : self.elements[self.head] }

    mutating func removeAll() {
        self.elements.removeAll(keepingCapacity: true)
        self.head = 0
    }

    mutating func append(_ element: Element) { self.elements.append(element) }

    mutating func popFirst() -> Element? {
        guard self.head < self.elements.count else { return nil }
        let element = self.elements[self.head]
        self.head &+= 1
        if self.head == self.elements.count {
            self.elements.removeAll(keepingCapacity: true)
            self.head = 0
        } else if self.head >= 4096 {
            // Under a load that never ends the line would grow for ever.
            self.elements.removeFirst(self.head)
            self.head = 0
        }
        return element
    }
}
