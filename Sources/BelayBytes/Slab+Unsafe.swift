/// A fixed number of places for values of one type, named by index, in memory that is touched only
/// when a place is first used: a large capacity costs address space, not memory.
///
/// A place is taken with `insert` and given back with `remove`; its generation grows each time, so
/// that an old name can be told from a new one. Access to a free place is a broken promise.
@safe
@usableFromInline
package struct Slab<Element: ~Copyable>: ~Copyable {
    @usableFromInline let elements: UnsafeMutablePointer<Element>
    @usableFromInline let places: UnsafeMutablePointer<Place>
    package let capacity: Int
    /// Places in use.
    package private(set) var count = 0
    /// Places below this one have been used at least once.
    @usableFromInline var touched = 0
    private var firstFree: Int32 = -1

    @usableFromInline
    struct Place {
        @usableFromInline var generation: UInt32
        /// The next free place, or -1; meaningless while in use.
        @usableFromInline var nextFree: Int32
        @usableFromInline var isUsed: Bool
    }

    package init(capacity: Int) {
        precondition(capacity > 0 && capacity <= Int(Int32.max), "a slab's capacity")
        unsafe self.elements = .allocate(capacity: capacity)
        unsafe self.places = .allocate(capacity: capacity)
        self.capacity = capacity
    }

    deinit {
        for index in 0..<self.touched where unsafe self.places[index].isUsed {
            unsafe (self.elements + index).deinitialize(count: 1)
        }
        unsafe self.elements.deallocate()
        unsafe self.places.deallocate()
    }

    /// The index of the place that now holds `element`, or nil when all are in use (the element is
    /// destroyed then).
    package mutating func insert(_ element: consuming Element) -> Int? {
        let index: Int
        if self.firstFree >= 0 {
            index = Int(self.firstFree)
            // Safe: the free list holds touched places below `capacity`.
            unsafe self.firstFree = self.places[index].nextFree
            unsafe self.places[index].isUsed = true
        } else {
            guard self.touched < self.capacity else { return nil }
            index = self.touched
            self.touched &+= 1
            // Safe: `index` is below `capacity` and was never initialised.
            unsafe (self.places + index).initialize(
                to: Place(generation: 1, nextFree: -1, isUsed: true)
            )
        }
        // Safe: the place is free, so it holds no element.
        unsafe (self.elements + index).initialize(to: element)
        self.count &+= 1
        return index
    }

    package mutating func remove(_ index: Int) {
        precondition(self.isUsed(index), "a free place was given back")
        // Safe: the place is in use, so it is initialised and below `capacity`.
        unsafe (self.elements + index).deinitialize(count: 1)
        unsafe self.places[index].isUsed = false
        unsafe self.places[index].generation &+= 1
        unsafe self.places[index].nextFree = self.firstFree
        self.firstFree = Int32(truncatingIfNeeded: index)
        self.count &-= 1
    }

    @inlinable
    package func isUsed(_ index: Int) -> Bool {
        // Safe: the index is compared with the touched part first.
        index >= 0 && index < self.touched && (unsafe self.places[index].isUsed)
    }

    /// Which use of the place this is.
    @inlinable
    package func generation(_ index: Int) -> UInt32 {
        precondition(index >= 0 && index < self.touched, "no such place")
        // Safe: checked above.
        return unsafe self.places[index].generation
    }

    /// Whether the place is in use, and in the same use as when `generation` was asked.
    @inlinable
    package func isCurrent(_ index: Int, _ generation: UInt32) -> Bool {
        self.isUsed(index) && self.generation(index) == generation
    }

    /// Where the element lies; for the subscripts of types that wrap a slab. Use it at once.
    @inlinable
    @unsafe
    package func address(of index: Int) -> UnsafePointer<Element> {
        precondition(self.isUsed(index), "a free place was read")
        // Safe: in use, so initialised.
        return unsafe UnsafePointer(self.elements + index)
    }

    @inlinable
    package subscript(_ index: Int) -> Element {
        unsafeAddress {
            precondition(self.isUsed(index), "a free place was read")
            // Safe: in use, so initialised; exclusivity is the slab's own.
            return unsafe UnsafePointer(self.elements + index)
        }
        unsafeMutableAddress {
            precondition(self.isUsed(index), "a free place was written")
            // Safe: as above.
            return unsafe self.elements + index
        }
    }
}
