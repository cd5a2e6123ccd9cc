drop view order_counts;
