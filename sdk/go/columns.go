// Package neuroquantum is the client of NeuroQuantumDB for Go.
//
// The generated messages and stubs are in package neuroquantum.dev/go/neuroquantum/v1; this package adds what
// they need to be pleasant: decoding column batches, and errors by reason. examples/tour shows both at work.
package neuroquantum

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	nqv1 "neuroquantum.dev/go/neuroquantum/v1"
)

// Rows decodes a batch into one []any per row: nil for NULL, bool, int64, float64, string, []byte or time.Time
// (timestamps and dates in UTC); TIME is a time.Duration since midnight, UUID a [16]byte.
func Rows(columns []*nqv1.ColumnMeta, batch *nqv1.ColumnBatch) ([][]any, error) {
	if len(columns) != len(batch.GetColumns()) {
		return nil, fmt.Errorf("a batch of %d columns in a result of %d", len(batch.GetColumns()), len(columns))
	}
	count := int(batch.GetRowCount())
	rows := make([][]any, count)
	cells := make([]any, count*len(columns))
	for i := range rows {
		rows[i], cells = cells[:len(columns):len(columns)], cells[len(columns):]
	}
	for j, column := range batch.GetColumns() {
		if err := check(columns[j].GetType().GetDataType(), column, count); err != nil {
			return nil, fmt.Errorf("column %q: %w", columns[j].GetName(), err)
		}
		for i := range rows {
			if len(column.Validity) == 0 || bit(column.Validity, i) {
				rows[i][j] = cell(columns[j].GetType().GetDataType(), column, i)
			}
		}
	}
	return rows, nil
}

func bit(bitmap []byte, i int) bool { return bitmap[i>>3]>>(i&7)&1 != 0 }

func width(kind nqv1.DataType) int {
	switch kind {
	case nqv1.DataType_DATA_TYPE_INT16:
		return 2
	case nqv1.DataType_DATA_TYPE_INT32, nqv1.DataType_DATA_TYPE_FLOAT32, nqv1.DataType_DATA_TYPE_DATE:
		return 4
	case nqv1.DataType_DATA_TYPE_INT64, nqv1.DataType_DATA_TYPE_FLOAT64,
		nqv1.DataType_DATA_TYPE_TIMESTAMP, nqv1.DataType_DATA_TYPE_TIME:
		return 8
	case nqv1.DataType_DATA_TYPE_UUID:
		return 16
	}
	return 0
}

func offset(column *nqv1.Column, i int) int {
	return int(int32(binary.LittleEndian.Uint32(column.Offsets[4*i:])))
}

// check proves every length and offset once, so that reading a cell cannot fail.
func check(kind nqv1.DataType, column *nqv1.Column, count int) error {
	bitmap := (count + 7) / 8
	if column.Encoding > nqv1.Encoding_ENCODING_PLAIN {
		return errors.New("an encoding that was not asked for")
	}
	if len(column.Validity) != 0 && len(column.Validity) < bitmap {
		return errors.New("a validity bitmap that is too short")
	}
	if kind == nqv1.DataType_DATA_TYPE_BOOL {
		if len(column.Data) < bitmap {
			return errors.New("too little data")
		}
		return nil
	}
	if w := width(kind); w != 0 {
		if len(column.Data) < w*count {
			return errors.New("too little data")
		}
		return nil
	}
	if len(column.Offsets) != 4*(count+1) || offset(column, 0) != 0 {
		return errors.New("malformed offsets")
	}
	for i := 0; i < count; i++ {
		if offset(column, i+1) < offset(column, i) {
			return errors.New("malformed offsets")
		}
	}
	if offset(column, count) > len(column.Data) {
		return errors.New("too little data")
	}
	return nil
}

func cell(kind nqv1.DataType, column *nqv1.Column, i int) any {
	data := column.Data
	switch kind {
	case nqv1.DataType_DATA_TYPE_BOOL:
		return bit(data, i)
	case nqv1.DataType_DATA_TYPE_INT16:
		return int64(int16(binary.LittleEndian.Uint16(data[2*i:])))
	case nqv1.DataType_DATA_TYPE_INT32:
		return int64(int32(binary.LittleEndian.Uint32(data[4*i:])))
	case nqv1.DataType_DATA_TYPE_INT64:
		return int64(binary.LittleEndian.Uint64(data[8*i:]))
	case nqv1.DataType_DATA_TYPE_FLOAT32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:])))
	case nqv1.DataType_DATA_TYPE_FLOAT64:
		return math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
	case nqv1.DataType_DATA_TYPE_TIMESTAMP:
		return time.UnixMicro(int64(binary.LittleEndian.Uint64(data[8*i:]))).UTC()
	case nqv1.DataType_DATA_TYPE_DATE:
		return time.Unix(int64(int32(binary.LittleEndian.Uint32(data[4*i:])))*86400, 0).UTC()
	case nqv1.DataType_DATA_TYPE_TIME:
		return time.Duration(binary.LittleEndian.Uint64(data[8*i:])) * time.Microsecond
	case nqv1.DataType_DATA_TYPE_UUID:
		return [16]byte(data[16*i : 16*i+16])
	case nqv1.DataType_DATA_TYPE_BYTES:
		return append([]byte{}, data[offset(column, i):offset(column, i+1)]...)
	}
	return string(data[offset(column, i):offset(column, i+1)])
}
